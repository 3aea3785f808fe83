// Each run's VMM and vsock device under a user of their own, when the daemon is root: a VMM that is broken into is nobody.
#pragma once

#include "host/daemon/run_host.hpp"
#include "host/shim/shim_spec.hpp"

#include <filesystem>
#include <optional>

namespace vigil::daemon {

/// A uid that no running VM of ours has, with access to KVM when that is used; nullopt when we are not root.
std::optional<shim::Credentials> take_run_user(RunHost& host);
/// The one that an adopted run already has: the owner of its directory.
std::optional<shim::Credentials> adopt_run_user(RunHost& host, const std::filesystem::path& run_dir);
void release_run_user(RunHost& host, const std::optional<shim::Credentials>& user);

/// Gives a path to that user.
Result<void> give_to(const std::filesystem::path& path, const std::optional<shim::Credentials>& user);

}  // namespace vigil::daemon

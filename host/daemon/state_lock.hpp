// One daemon a state directory, and one a run directory.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <filesystem>

namespace vigil::daemon {

/// Held as long as the descriptor is open; the kernel lets go of it however the daemon ends.
/// Errors: Errc::conflict naming the other daemon's pid and the path.
Result<UniqueFd> lock_state(const std::filesystem::path& lock_file);

}  // namespace vigil::daemon

// The jailer's command line: Firecracker in a chroot, under a user and a control group of its own.
//
// Shape:  pure. Every path that the jailed Firecracker is told is one inside jail_root(): kernel, disks and sockets have to be linked, copied or made there
//         and given to uid:gid first. It is never told to daemonize: that closes stdout, which is the console of versions before 1.14.
// Errors: Errc::invalid for what the jailer refuses, or what would lead out of the chroot's base.
// Source: firecracker's docs/jailer.md. Not used by the daemon yet: it runs Firecracker as a user of its own, without the chroot.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::vmm::firecracker {

struct JailSpec {
  std::string jailer, firecracker;  // absolute paths
  std::string id;  // letters, digits and '-', at most 64
  std::uint32_t uid = 0, gid = 0;  // not root's
  std::string chroot_base = "/srv/jailer";
  int cgroup_version = 2;
  std::string parent_cgroup;  // relative, under the mount; empty: the jailer's default
  std::vector<std::pair<std::string, std::string>> cgroup;  // file and value: memory.max, 1073741824
  std::optional<std::uint64_t> max_open_files;
  std::string netns;  // path; empty: the host's
};

/// <base>/<name of the program>/<id>/root: "/" as Firecracker sees it.
std::string jail_root(const JailSpec& spec);
/// The path on the host of one inside.
std::string outside_jail(const JailSpec& spec, const std::string& inside);

/// `flags` are Firecracker's own (firecracker_flags), with paths inside the jail.
Result<std::vector<std::string>> jailer_arguments(const JailSpec& spec, const std::vector<std::string>& flags);

}  // namespace vigil::vmm::firecracker

// The host's control groups, through one interface over v1 and v2: a group a run, best effort.
//
// Shape:  a Group is the directory (v2) or the directories (v1: memory, cpuacct, pids) made below the caller's own (or beside its leaf, leaf.hpp); destroying the object leaves it.
//         What the host does not give reads as nullopt.
// Units:  bytes; microseconds.
// Errors: make: those of the system, when no hierarchy let us make a group (an unprivileged user without delegation).
// Source: cgroup-v2.rst, cgroup-v1/{memory,cpuacct}.rst.
#pragma once

#include "shared/base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::cgroup {

enum class Version { v1, v2 };

class Group {
public:
  virtual ~Group() = default;
  virtual Version version() const = 0;
  virtual Result<void> add(pid_t pid) = 0;                                // 0: the caller
  virtual std::optional<std::uint64_t> cpu_us() const = 0;                // used so far by all its processes
  virtual std::optional<std::uint64_t> memory_bytes() const = 0;          // now
  virtual std::optional<std::uint64_t> oom_kills() const = 0;             // processes of the group that the OOM killer ended
  /// Moves the caller back to where it was and takes the directories away; fails while other processes are in it.
  virtual Result<void> remove() = 0;
};

/// `mounts` and `self` are /proc/mounts and /proc/self/cgroup but in tests.
Result<std::unique_ptr<Group>> make_group(const std::string& name, const std::string& mounts = "/proc/mounts",
                                          const std::string& self = "/proc/self/cgroup");

/// Takes away groups below the caller's own whose name starts with `prefix` and that no process is in: what a killed shim left.
void sweep_groups(const std::string& prefix, const std::string& mounts = "/proc/mounts", const std::string& self = "/proc/self/cgroup");

/// Names of the groups below the caller's own that start with `prefix`, with or without processes, of whoever made them.
std::vector<std::string> groups_below(const std::string& prefix, const std::string& mounts = "/proc/mounts", const std::string& self = "/proc/self/cgroup");

}  // namespace vigil::cgroup

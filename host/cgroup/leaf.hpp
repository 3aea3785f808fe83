// The daemon's own group within a delegated one: v2 lets processes and controllers of children not be in the same group.
//
// Shape:  systemd marks a group that it delegates by the extended attribute user.delegate (before version 251 trusted.delegate) = 1.
// Errors: enter_leaf: those of mkdir and write, when the group is delegated and cannot be used all the same.
// Source: systemd "Control Group APIs and Delegation", cgroup-v2.rst "No Internal Process Constraint".
#pragma once

#include "shared/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::cgroup {

inline constexpr std::string_view leaf_name = "vigild";

enum class LeafState {
  not_delegated,   // v1, or a group that is not ours to divide: nothing was done
  entered,         // moved into it now; runs have no controllers of their own
  born_in,         // the service manager had put us there; runs get controllers
};

struct Leaf {
  LeafState state = LeafState::not_delegated;
  std::string path;                        // the delegated group's directory
  std::vector<std::string> controllers;    // that runs have
};

/// `mounts` and `self` are /proc/mounts and /proc/self/cgroup but in tests.
Result<Leaf> enter_leaf(const std::string& mounts = "/proc/mounts", const std::string& self = "/proc/self/cgroup");

/// Whether systemd handed this group's directory over.
bool is_delegated(const std::string& directory);

}  // namespace vigil::cgroup

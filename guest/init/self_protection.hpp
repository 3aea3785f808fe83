// What keeps PID 1 at work when everybody else in the VM wants its memory.
#pragma once

#include <string>

namespace vigil::guest::init {

/// The kernel's OOM killer takes PID 1 last. The launcher gives each service a score of 0.
void protect_from_oom();

/// A cgroup of its own under `cgroup_root` (empty: none) whose memory is not reclaimed, and pages that stay once they were touched: a guest that thrashes is
/// still told of. Returns what was refused, by name; the VM goes on without it.
std::string protect_from_reclaim(const std::string& cgroup_root);

}  // namespace vigil::guest::init

// A process of the shim: started with everything decided before the fork, and never left behind.
//
// Why:    the child asks the kernel to be killed when the shim dies (PR_SET_PDEATHSIG), so a killed shim leaves no VMM that nobody watches.
// Errors: start_child returns when the program runs; else which step the child could not do and why, and then no process is left.
// Source: fork(2), prctl(2): the death signal is lost by a change of credentials, so it is asked for after them.
#pragma once

#include "host/shim/shim_spec.hpp"
#include "shared/base/result.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace vigil::shim {

/// `fd` of the shim becomes `target` in the child.
struct Inherited { int fd = -1; int target = -1; };

struct ChildPlan {
  std::vector<std::string> argv;
  std::vector<Inherited> inherited;              // with 0, 1 and 2 among them; everything else is closed
  std::optional<Credentials> credentials;
};

Result<pid_t> start_child(const ChildPlan& plan);

/// Kills and reaps every child, also the orphans that came to us as their subreaper.
void kill_all_children();

}  // namespace vigil::shim

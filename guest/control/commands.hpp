// vigil-guest status | why | logs | ctl: what somebody inside the VM reads, in the words of the host's `vigil`.
#pragma once

#include "guest/config/agent_options.hpp"

namespace vigil::guest::control {

/// 0: done; 1: refused or not reachable, which is said on stderr.
int run_command(const config::AskAgent& ask);

}  // namespace vigil::guest::control

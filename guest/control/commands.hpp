// vigil-guest status | why | logs | ctl: what somebody inside the VM reads, in the words of the host's `vigil`.
#pragma once

#include "guest/config/agent_options.hpp"

namespace vigil::guest::control {

/// 0: done; 1: refused or not reachable, which is said on stderr.
int run_command(const config::AskAgent& ask);

/// Tells the agent what systemd says in the environment of a unit that it starts because another has failed.
int tell_unit_failed(const config::TellUnitFailed& failed);

}  // namespace vigil::guest::control

// `vigil-guest check DIR`: the service files as the agent reads them, all errors at once.
#pragma once

#include "guest/config/agent_options.hpp"

namespace vigil::guest::agent {

/// Prints to stdout; 0: right, 1: at least one error, 2: no such directory.
int check_services(const config::CheckOptions& options);

}  // namespace vigil::guest::agent

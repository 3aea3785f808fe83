// The asking end of the control socket. Blocks for at most ten seconds.
//
// Errors: Errc::unavailable when the agent cannot be reached, with the mend; what the agent refused as its own words.
#pragma once

#include "shared/base/result.hpp"

#include <string>

namespace vigil::guest::control {

/// The result's JSON.
Result<std::string> ask_agent(const std::string& socket_path, const std::string& op, const std::string& args_json);

}  // namespace vigil::guest::control

// From the opening of an exec stream to what the launcher needs: account, environment, program, directory.
//
// Errors: Errc::not_found for a user or a program that is not there (with where it was looked for), Errc::denied for one that may not be executed.
#pragma once

#include "guest/process/launch_plan.hpp"
#include "shared/base/result.hpp"
#include "shared/streams/opening.hpp"

#include <map>
#include <string>

namespace vigil::guest::streams {

/// `env` is every process's of this VM; the opening's wins. Descriptors and cgroup are left to the caller.
Result<process::LaunchPlan> plan_exec(const vigil::streams::ExecOpening& opening, const std::map<std::string, std::string>& env);

}  // namespace vigil::guest::streams

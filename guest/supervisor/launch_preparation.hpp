// From a service file to what the launcher needs: user, environment, limits, secrets.
//
// Errors: a Cause that another try cannot mend: service.spec_invalid{file,key} for a user or group that does not exist,
//         service.secret_unreadable{name}.
#pragma once

#include "guest/process/launch_plan.hpp"
#include "guest/process/launcher.hpp"
#include "guest/supervisor/supervisor.hpp"
#include "shared/protocol/cause.hpp"

#include <variant>

namespace vigil::guest::supervisor {

/// Descriptors and cgroup are left to the caller. Writes the service's secrets to <runtime_dir>/credentials/<name>/.
std::variant<process::LaunchPlan, protocol::Cause> prepare_launch(const service_spec::ServiceSpec& spec, const SupervisorOptions& options);

/// What a failed launch means; `hopeless` when trying again cannot help.
struct LaunchProblem {
  protocol::Cause cause;
  bool hopeless = true;
};
LaunchProblem explain_launch_failure(const service_spec::ServiceSpec& spec, const process::LaunchFailure& failure);

}  // namespace vigil::guest::supervisor

// From a service file to what the launcher needs: user, environment, limits, secrets.
//
// Errors: a Cause that another try cannot mend: service.spec_invalid{file,key} for a user or group that does not exist,
//         service.secret_unreadable{name}.
#pragma once

#include "guest/process/accounts.hpp"
#include "guest/process/launch_plan.hpp"
#include "guest/process/launcher.hpp"
#include "guest/supervisor/supervisor.hpp"
#include "shared/protocol/cause.hpp"

#include <optional>

namespace vigil::guest::supervisor {

/// One service's plan, kept from life to life. Descriptors and cgroup are left to the caller.
class LaunchPreparation {
public:
  /// Both outlive it.
  LaunchPreparation(const service_spec::ServiceSpec& spec, const SupervisorOptions& options) : spec_(spec), options_(options) {}

  /// Before each launch; a Cause when there is no plan. A replacement waits for this: what has not changed since the last one is not made anew.
  /// Writes the service's secrets to <runtime_dir>/credentials/<name>/, each time.
  std::optional<protocol::Cause> prepare();
  const process::LaunchPlan& plan() const { return plan_; }

private:
  const service_spec::ServiceSpec& spec_;
  const SupervisorOptions& options_;
  process::LaunchPlan plan_;
  process::AccountFilesStamp stamp_;   // as the plan was made
};

/// What a failed launch means; `hopeless` when trying again cannot help.
struct LaunchProblem {
  protocol::Cause cause;
  bool hopeless = true;
};
LaunchProblem explain_launch_failure(const service_spec::ServiceSpec& spec, const process::LaunchFailure& failure);

}  // namespace vigil::guest::supervisor

#include "guest/supervisor/health_check.hpp"

#include <utility>

namespace vigil::guest::supervisor {

HealthCheck::HealthCheck(const service_spec::HealthSpec& spec, const ServiceName& service, readiness::ProbeTools& tools,
                         process::LaunchPlan plan, process::ProcessGroup group, Changed changed)
    : spec_(spec), service_(service), tools_(tools), plan_(std::move(plan)), group_(std::move(group)), changed_(std::move(changed)) {
  next_ = tools_.loop.after(spec_.interval, [this] { ask(); });
}

void HealthCheck::ask() {
  next_ = tools_.loop.after(spec_.interval, [this] { due(); });
  probe_ = std::make_unique<readiness::ProbeSet>(std::vector{spec_.probe}, service_, tools_, [this] { answered(); });
  process::LaunchPlan plan = plan_;
  if (!probe_->prepare(plan)) return;   // no descriptors left: not an answer, so it counts as a failure when the time is over
  probe_->begin(group_);
}

void HealthCheck::answered() {
  if (!probe_ || !probe_->all_passed()) return;
  failures_ = 0;
  next_ = tools_.loop.after(spec_.interval, [this] { ask(); });
  if (std::exchange(health_, Health::healthy) == Health::unhealthy) changed_(Health::healthy);
}

void HealthCheck::due() {
  ++failures_;
  if (failures_ >= spec_.failures && health_ == Health::healthy) {
    health_ = Health::unhealthy;
    const auto obstacle = probe_->finding();
    cause_ = obstacle ? *obstacle
                      : protocol::make_cause(protocol::CauseCode::service_unhealthy, {{"probe", service_spec::probe_name(spec_.probe)}},
                                             probe_->timeout_cause().evidence);
    changed_(Health::unhealthy);
  }
  ask();
}

}  // namespace vigil::guest::supervisor

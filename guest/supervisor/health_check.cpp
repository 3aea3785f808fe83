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
  if (std::exchange(health_, Health::healthy) == Health::unhealthy) tell();
}

void HealthCheck::due() {
  ++failures_;
  const bool turned = failures_ >= spec_.failures && health_ == Health::healthy;
  if (turned) cause_ = explain();
  ask();
  if (!turned) return;
  health_ = Health::unhealthy;
  tell();
}

protocol::Cause HealthCheck::explain() const {
  std::vector<std::string> evidence;
  if (const auto obstacle = probe_->finding()) evidence.push_back(obstacle->text + ": " + protocol::sentence(*obstacle));
  for (std::string& line : probe_->timeout_cause().evidence) evidence.push_back(std::move(line));
  return protocol::make_cause(protocol::CauseCode::service_unhealthy, {{"probe", service_spec::probe_name(spec_.probe)}}, std::move(evidence));
}

void HealthCheck::tell() {
  const Changed changed = changed_;   // survives us
  changed(health_);
}

}  // namespace vigil::guest::supervisor

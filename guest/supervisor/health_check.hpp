// The health probe of a service that is ready: asked anew every interval, unhealthy after some failures in a row, healthy with the first success.
//
// Shape:  lives from ready to the end of the process. A probe that has not passed when the next is due has failed. The owner may drop it from within
//         `changed`.
#pragma once

#include "guest/process/launch_plan.hpp"
#include "guest/process/process_group.hpp"
#include "guest/readiness/probe_set.hpp"

#include <functional>
#include <memory>

namespace vigil::guest::supervisor {

enum class Health { healthy, unhealthy };

/// Between two lives of the agent; the question that is under way is asked anew.
struct KeptHealth {
  Health health = Health::healthy;
  std::uint32_t failures = 0;
  protocol::Cause cause;
  friend bool operator==(const KeptHealth&, const KeptHealth&) = default;
};

class HealthCheck {
public:
  using Changed = std::function<void(Health)>;

  HealthCheck(const service_spec::HealthSpec& spec, const ServiceName& service, readiness::ProbeTools& tools, process::LaunchPlan plan,
              process::ProcessGroup group, Changed changed);
  HealthCheck(const HealthCheck&) = delete;
  HealthCheck& operator=(const HealthCheck&) = delete;

  /// service.unhealthy{probe}; what the probe met is its evidence.
  const protocol::Cause& cause() const { return cause_; }

  KeptHealth keep() const { return {health_, failures_, cause_}; }
  void resume(const KeptHealth& kept) { health_ = kept.health, failures_ = kept.failures, cause_ = kept.cause; }

private:
  void ask();
  void answered();
  void due();
  protocol::Cause explain() const;
  void tell();

  service_spec::HealthSpec spec_;
  ServiceName service_;
  readiness::ProbeTools& tools_;
  process::LaunchPlan plan_;
  process::ProcessGroup group_;
  Changed changed_;
  std::unique_ptr<readiness::ProbeSet> probe_;
  std::uint32_t failures_ = 0;
  Health health_ = Health::healthy;
  protocol::Cause cause_;
  LoopToken next_;
};

}  // namespace vigil::guest::supervisor

// Looks at the machine's thresholds before a death is reported, so that a full disk is known before what failed of it.
#pragma once

#include "guest/health/health_monitor.hpp"
#include "guest/report/report_sink.hpp"

namespace vigil::guest::health {

class HealthBeforeDeath final : public ReportSink {
public:
  HealthBeforeDeath(ReportSink& next, HealthMonitor& health) : next_(next), health_(health) {}

  Seq submit(protocol::ReportBody body) override;

private:
  ReportSink& next_;
  HealthMonitor& health_;
};

}  // namespace vigil::guest::health

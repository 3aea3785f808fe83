#include "guest/health/health_before_death.hpp"

#include <utility>

namespace vigil::guest::health {

Seq HealthBeforeDeath::submit(protocol::ReportBody body) {
  if (std::holds_alternative<protocol::CrashReport>(body)) health_.glance();
  return next_.submit(std::move(body));
}

}  // namespace vigil::guest::health

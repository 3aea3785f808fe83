// The counters of ports and egress as part of the page that Prometheus reads. Labels are of closed tables: outcomes, cause codes, classes of errors.
#pragma once

#include <string>

namespace vigil::egress {
struct Counters;
}

namespace vigil::ports {
struct Counters;
}

namespace vigil::api {

std::string port_metrics(const ports::Counters& counters);
std::string egress_metrics(const egress::Counters& counters);

}  // namespace vigil::api

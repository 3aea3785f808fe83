// Service files that are wrong, as failed services: the host shows them beside those that run.
#pragma once

#include "shared/protocol/report.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <vector>

namespace vigil::guest::supervisor {

/// One report an affected service: named after the file, or each service of a cycle; a service's first error counts.
std::vector<protocol::ServiceReport> reports_of_errors(const std::vector<protocol::Cause>& errors, MonoUs now_us);

}  // namespace vigil::guest::supervisor

// What a guest's own journal keeps of a report: "TYPE WHAT", WHAT being what the store's row of it can be asked for (tests/e2e/harness/told.py does).
#pragma once

#include "shared/protocol/report.hpp"

#include <string>

namespace vigil::talker {

std::string row_of(const protocol::ReportBody& body);

}  // namespace vigil::talker

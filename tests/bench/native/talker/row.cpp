#include "tests/bench/native/talker/row.hpp"

namespace vigil::talker {

namespace {

std::string what_of(const protocol::ReportBody& body) {
  if (const auto* report = std::get_if<protocol::ServiceReport>(&body))
    return report->name.value() + ':' + std::string(to_text(report->state)) + ':' + std::to_string(report->restarts) + ':' +
           std::to_string(report->since_us);
  if (const auto* report = std::get_if<protocol::StageReport>(&body)) return std::string(to_text(report->stage));
  return "-";
}

}  // namespace

std::string row_of(const protocol::ReportBody& body) { return protocol::report_type(body) + ' ' + what_of(body); }

}  // namespace vigil::talker

#include "guest/supervisor/spec_errors.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace vigil::guest::supervisor {
namespace {

std::string name_of_file(std::string_view path) {
  path.remove_prefix(path.find_last_of('/') + 1);   // npos + 1 is 0
  if (path.ends_with(".json")) path.remove_suffix(5);
  return std::string(path);
}

/// "a -> b -> a"
std::vector<std::string> names_of_cycle(std::string_view path) {
  constexpr std::string_view arrow = " -> ";
  std::vector<std::string> names;
  for (;;) {
    const std::size_t end = path.find(arrow);
    names.emplace_back(path.substr(0, end));
    if (end == std::string_view::npos) return names;
    path.remove_prefix(end + arrow.size());
  }
}

std::vector<std::string> names_of(const protocol::Cause& error) {
  if (const auto cycle = protocol::field_text(error, "path")) return names_of_cycle(*cycle);
  return {name_of_file(protocol::field_text(error, "file").value_or("?"))};
}

}  // namespace

std::vector<protocol::ServiceReport> reports_of_errors(const std::vector<protocol::Cause>& errors, MonoUs now_us) {
  std::vector<protocol::ServiceReport> reports;
  for (const protocol::Cause& error : errors) {
    for (const std::string& name : names_of(error)) {
      const bool known = std::any_of(reports.begin(), reports.end(), [&](const auto& report) { return report.name.value() == name; });
      if (known) continue;
      protocol::ServiceReport report;
      report.name = ServiceName(name);
      report.state = protocol::ServiceState::failed;
      report.since_us = now_us;
      report.cause = error;
      reports.push_back(std::move(report));
    }
  }
  return reports;
}

}  // namespace vigil::guest::supervisor

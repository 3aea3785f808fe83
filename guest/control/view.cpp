#include "guest/control/view.hpp"

#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace vigil::guest::control {

using nlohmann::json;

namespace {

using Row = std::vector<std::string>;

const json& member(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

/// "" for what is absent; numbers and booleans in their JSON form.
std::string text_of(const json& object, const char* key) {
  const json& value = member(object, key);
  if (value.is_null()) return {};
  return escape_for_terminal(value.is_string() ? value.get_ref<const std::string&>() : dump_json(value), Lines::escape);
}

std::int64_t number_of(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string probes_text(const json& service) {
  std::string text;
  for (const json& probe : member(service, "probes"))
    text += (text.empty() ? "" : " ") + text_of(probe, "probe") + (member(probe, "passed") == true ? "" : "(waiting)");
  return text;
}

std::optional<protocol::Cause> cause_of(const json& value) {
  if (!value.is_object()) return std::nullopt;
  const auto cause = protocol::decode_cause(dump_json(value));
  return cause ? std::optional(*cause) : std::nullopt;
}

std::string cause_line(const protocol::Cause& cause) {
  return escape_for_terminal(cause.text + ": " + protocol::sentence(cause), Lines::escape);
}

std::string cause_text(const protocol::Cause& cause) {
  std::string text = "  " + cause_line(cause) + "\n";
  for (const std::string& line : cause.evidence) text += "    | " + escape_for_terminal(line, Lines::escape) + "\n";
  if (const std::string mend = protocol::advice(cause); !mend.empty()) text += "    -> " + escape_for_terminal(mend, Lines::escape) + "\n";
  return text;
}

std::string mib(std::int64_t kib) { return std::to_string(kib / 1024) + " MiB"; }

std::string machine_text(const json& diagnosis) {
  const json& health = member(diagnosis, "health");
  const std::int64_t total = number_of(health, "memory_total_kib"), used = total - number_of(health, "memory_available_kib");
  std::string text = "state   " + text_of(diagnosis, "state") + ", link " + text_of(diagnosis, "link") + ", up " +
                     std::to_string(number_of(diagnosis, "mono_us") / 1'000'000) + " s\n";
  if (total > 0)
    text += "memory  " + mib(used) + " of " + mib(total) + " in use, at most " + mib(number_of(health, "memory_peak_kib")) + "\n";
  for (const json& file_system : member(health, "file_systems"))
    text += "disk    " + text_of(file_system, "mount") + ": " + mib(number_of(file_system, "available_kib")) + " of " +
            mib(number_of(file_system, "total_kib")) + " free\n";
  return text;
}

struct Finding {
  std::string service;
  protocol::Cause cause;
};

/// Worst first: what failed by itself, then what failed for another, then the rest; essential ones before optional ones.
std::vector<Finding> findings_of(const json& diagnosis) {
  std::vector<std::pair<int, Finding>> ranked;
  for (const json& service : member(diagnosis, "services")) {
    const auto cause = cause_of(member(service, "cause"));
    if (!cause) continue;
    const bool failed = text_of(service, "state") == "failed", derived = cause->code == protocol::CauseCode::service_dependency_failed;
    const bool optional = member(service, "essential") == false;
    ranked.push_back({(failed ? 0 : 2) + (derived ? 1 : 0) + (optional ? 4 : 0), {text_of(service, "name"), *cause}});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& left, const auto& right) { return left.first < right.first; });
  std::vector<Finding> findings;
  for (auto& [rank, finding] : ranked) findings.push_back(std::move(finding));
  for (const json& each : member(member(diagnosis, "health"), "causes"))
    if (auto cause = cause_of(each)) findings.push_back({"", std::move(*cause)});
  return findings;
}

std::string finding_text(const Finding& finding) {
  return (finding.service.empty() ? std::string() : "  service " + finding.service + "\n") + cause_text(finding.cause);
}

/// What is waited for when nothing is wrong yet.
std::string waiting_text(const json& diagnosis) {
  std::string text;
  for (const json& service : member(diagnosis, "services")) {
    const std::string state = text_of(service, "state");
    if (state == "ready" || state == "stopped") continue;
    text += "  " + text_of(service, "name") + " is " + state;
    if (const json& names = member(service, "waits_for"); names.is_array() && !names.empty())
      text += ", waits for " + escape_for_terminal(dump_json(names), Lines::escape);
    if (const std::string probes = probes_text(service); !probes.empty()) text += ": " + probes;
    text += "\n";
  }
  return text;
}

}  // namespace

std::string status_text(const json& diagnosis) {
  std::vector<Row> services = {{"SERVICE", "STATE", "PID", "RESTARTS", "ESSENTIAL", "PROBES", "CAUSE"}};
  for (const json& service : member(diagnosis, "services")) {
    const auto cause = cause_of(member(service, "cause"));
    services.push_back({text_of(service, "name"), text_of(service, "state"), number_of(service, "pid") == 0 ? "" : text_of(service, "pid"),
                        text_of(service, "restarts"), member(service, "essential") == false ? "no" : "yes", probes_text(service),
                        cause ? cause_line(*cause) : ""});
  }
  std::vector<Row> ports = {{"PORT", "ADDRESS", "SERVICE", "PROCESS"}};
  for (const json& port : member(diagnosis, "listeners")) {
    const std::string pid = number_of(port, "pid") == 0 ? "" : " (pid " + text_of(port, "pid") + ")";
    ports.push_back({text_of(port, "port"), text_of(port, "address"), text_of(port, "service"), text_of(port, "process") + pid});
  }
  std::string text = machine_text(diagnosis) + table(services);
  if (ports.size() > 1) text += table(ports);
  for (const json& problem : member(diagnosis, "problems"))
    if (problem.is_string()) text += "problem " + escape_for_terminal(problem.get_ref<const std::string&>(), Lines::escape) + "\n";
  return text;
}

std::string why_text(const json& diagnosis) {
  const std::vector<Finding> findings = findings_of(diagnosis);
  std::string text = "this VM is " + text_of(diagnosis, "state") + "\n";
  if (findings.empty()) return text + waiting_text(diagnosis);
  text += finding_text(findings.front());
  if (findings.size() > 1) text += "also:\n";
  for (std::size_t i = 1; i < findings.size(); ++i) text += finding_text(findings[i]);
  return text;
}

}  // namespace vigil::guest::control

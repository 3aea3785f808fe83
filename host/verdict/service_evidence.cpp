#include "host/machine/derive.hpp"
#include "host/verdict/evidence.hpp"

#include <algorithm>
#include <tuple>

namespace vigil::verdict {

using namespace protocol;
using machine::CrashRecord;
using machine::ServiceRecord;

namespace {

constexpr std::size_t tail_lines = 6;

std::vector<std::string> last_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t end = text.size();
  while (end > 0 && lines.size() < tail_lines) {
    const auto newline = text.rfind('\n', end - 1);
    const auto start = newline == std::string::npos ? 0 : newline + 1;
    if (end > start) lines.push_back(text.substr(start, end - start));
    end = newline == std::string::npos ? 0 : newline;
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

const CrashRecord* last_crash(const Run& run, const std::string& service) {
  const CrashRecord* last = nullptr;
  for (const auto& crash : run.crashes)
    if (crash.report.service == service) last = &crash;
  return last;
}

Cause with_output(Cause cause, const CrashRecord* crash) {
  if (crash == nullptr || !cause.evidence.empty()) return cause;
  const auto& output = crash->report.stderr_tail.empty() ? crash->report.stdout_tail : crash->report.stderr_tail;
  const std::string ended[] = {crash->report.process + " (pid " + std::to_string(crash->report.pid) + ") ended with " + to_text(crash->report.exit)};
  add_evidence(cause, ended);
  add_evidence(cause, last_lines(output));
  return cause;
}

/// A service without a cause of its own that died before: the death is the cause.
std::optional<Cause> cause_of(const Run& run, const ServiceRecord& record) {
  const auto* crash = last_crash(run, record.report.name.value());
  if (record.report.cause) return with_output(*record.report.cause, crash);
  if (crash != nullptr && record.report.state != ServiceState::stopped) return with_output(crash->report.cause, crash);
  if (record.report.state != ServiceState::failed) return std::nullopt;
  return make_cause(CauseCode::unknown, {{"seen", "the service failed without a cause"}});
}

bool is_bystander(const Cause& cause) { return cause.code == CauseCode::service_dependency_failed; }

/// Smaller matters more: given up before trying on, essential before optional, causes before dependents, earlier before later.
auto rank(const ServiceRecord& record, const Finding& finding) {
  return std::tuple(!machine::gave_up(record.report), !record.report.essential, is_bystander(finding.cause), finding.at_unix_us);
}

}  // namespace

std::vector<Finding> service_findings(const Run& run) {
  std::vector<std::pair<const ServiceRecord*, Finding>> ranked;
  for (const auto& [name, record] : run.services) {
    if (record.report.state == ServiceState::ready || record.while_stopping) continue;
    if (auto cause = cause_of(run, record)) ranked.emplace_back(&record, Finding{std::move(*cause), name, record.at_unix_us});
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& left, const auto& right) { return rank(*left.first, left.second) < rank(*right.first, right.second); });
  std::vector<Finding> findings;
  for (auto& entry : ranked) findings.push_back(std::move(entry.second));
  return findings;
}

/// What a service does wrong while it is being stopped is no failure of the VM, but its stop took longer for it.
std::vector<Finding> overdue_stops(const Run& run) {
  std::vector<Finding> findings;
  for (const auto& [name, record] : run.services)
    if (record.while_stopping && record.report.cause && record.report.cause->code == CauseCode::service_stop_timeout)
      findings.push_back({*record.report.cause, name, record.at_unix_us});
  return findings;
}

std::vector<Finding> crash_findings(const Run& run) {
  std::vector<Finding> findings;
  for (const auto& crash : run.crashes) {
    std::optional<ServiceName> service;
    if (!crash.report.service.empty()) service = ServiceName(crash.report.service);
    findings.push_back({with_output(crash.report.cause, &crash), service, crash.at_unix_us});
  }
  return findings;
}

}  // namespace vigil::verdict

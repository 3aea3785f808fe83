#include "host/machine/crash_cause.hpp"
#include "host/machine/derive.hpp"
#include "host/verdict/evidence.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace vigil::verdict {

using namespace protocol;
using machine::CrashRecord;
using machine::ServiceRecord;

namespace {

constexpr std::size_t tail_lines = 6;
constexpr std::size_t frame_lines = 8, bare_frame_lines = 4;

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

/// Where it died tells more than what it printed before, if it has a name; offsets in a stripped program tell less.
void add_trace(Cause& cause, const CrashRecord& crash) {
  if (!crash.trace || cause.code != CauseCode::service_signalled) return;
  if (!blamed_function(*crash.trace)) return add_evidence(cause, machine::trace_lines(*crash.trace, bare_frame_lines));
  const auto said = std::exchange(cause.evidence, {});
  add_evidence(cause, machine::trace_lines(*crash.trace, frame_lines));
  add_evidence(cause, said);
}

Cause with_output(Cause cause, const CrashRecord* crash) {
  if (crash == nullptr) return cause;
  if (!cause.evidence.empty()) {
    add_trace(cause, *crash);
    return cause;
  }
  const auto& output = crash->report.stderr_tail.empty() ? crash->report.stdout_tail : crash->report.stderr_tail;
  const std::string ended[] = {crash->report.process + " (pid " + std::to_string(crash->report.pid) + ") ended with " + to_text(crash->report.exit)};
  add_evidence(cause, ended);
  add_evidence(cause, last_lines(output));
  add_trace(cause, *crash);
  return cause;
}

/// A service without a cause of its own that died before: the death is the cause.
std::optional<Cause> explanation(const Run& run, const ServiceRecord& record) {
  const auto* crash = machine::last_crash(run, record.report.name.value());
  if (auto own = machine::cause_of(run, record)) return with_output(std::move(*own), crash);
  if (crash != nullptr && record.report.state != ServiceState::stopped) return with_output(machine::cause_of(*crash), crash);
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
    if (auto cause = explanation(run, record)) ranked.emplace_back(&record, Finding{std::move(*cause), name, record.at_unix_us});
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
    if (crash.report.origin) continue;   // of an earlier boot: it says nothing of this run
    std::optional<ServiceName> service;
    if (!crash.report.service.empty()) service = ServiceName(crash.report.service);
    findings.push_back({with_output(machine::cause_of(crash), &crash), service, crash.at_unix_us});
  }
  return findings;
}

}  // namespace vigil::verdict

#include "host/verdict/verdict.hpp"

#include "host/machine/derive.hpp"
#include "host/machine/timeline.hpp"
#include "host/verdict/evidence.hpp"
#include "host/verdict/summary.hpp"
#include "shared/base/encoding.hpp"

#include <algorithm>

namespace vigil::verdict {

using namespace protocol;

namespace {

constexpr std::size_t max_also = 16;
constexpr std::size_t max_evidence_lines = 16;
constexpr std::size_t max_evidence_bytes = 512;

std::optional<Finding> announced_end(const VmState& state) {
  if (!state.run->outcome || !state.announced || !state.announced->cause) return std::nullopt;
  std::optional<ServiceName> service;
  if (!state.announced->service.empty()) service = ServiceName(state.announced->service);
  return Finding{*state.announced->cause, service, state.run->end->at_unix_us};
}

/// Services name the cause only while they keep the VM from being ready; what they got over is told under `also`.
std::optional<Finding> blocking_service(const VmState& state) {
  const auto reached = machine::derive(state);
  if (reached == RunState::ready || reached == RunState::stopped) return std::nullopt;
  const auto findings = service_findings(*state.run);
  if (findings.empty()) return std::nullopt;
  return findings.front();
}

std::optional<Finding> halted_vmm(const Run& run) {
  if (run.end || !run.vmm_halted) return std::nullopt;
  return Finding{make_cause(CauseCode::vmm_stopped), std::nullopt, *run.vmm_halted};
}

std::optional<Finding> dead_device(const Run& run) {
  if (run.end || run.device_causes.empty()) return std::nullopt;
  return Finding{run.device_causes.front().cause, std::nullopt, run.device_causes.front().at_unix_us};
}

/// The order of the README.
std::optional<Finding> main_finding(const VmState& state, std::span<const std::string> console_tail) {
  const Run& run = *state.run;
  if (run.outcome) return announced_end(state);
  if (auto found = failed_start(run)) return found;
  if (auto found = failed_stage(run)) return found;
  if (auto found = panic(state)) return found;
  if (auto found = unasked_end(run, console_tail)) return found;
  if (auto found = halted_vmm(run)) return found;
  if (auto found = unfit_agent(run)) return found;
  if (auto found = missed_stage(run, console_tail)) return found;
  if (auto found = stuck(state)) return found;
  if (auto found = blocking_service(state)) return found;
  if (auto found = dead_device(run)) return found;
  if (auto found = unresponsive(state)) return found;
  if (auto found = own_end(state)) return found;
  return stopped_by_policy(state);
}

bool is_same(const Finding& left, const Finding& right) {
  return left.service == right.service && left.cause.code == right.cause.code && left.cause.text == right.cause.text;
}

void append(std::vector<Finding>& all, std::vector<Finding> more, const std::optional<Finding>& main) {
  for (auto& finding : more) {
    if (main && is_same(*main, finding)) continue;
    const bool known = std::any_of(all.begin(), all.end(), [&](const Finding& each) { return is_same(each, finding); });
    if (!known) all.push_back(std::move(finding));
  }
}

std::vector<Finding> listed(std::optional<Finding> finding) {
  if (!finding) return {};
  return {std::move(*finding)};
}

std::vector<Finding> other_findings(const VmState& state, std::span<const std::string> console_tail, const std::optional<Finding>& main) {
  const Run& run = *state.run;
  std::vector<Finding> all;
  append(all, listed(failed_stage(run)), main);
  append(all, listed(panic(state)), main);
  append(all, listed(unasked_end(run, console_tail)), main);
  append(all, listed(missed_stage(run, console_tail)), main);
  append(all, service_findings(run), main);
  append(all, crash_findings(run), main);
  append(all, overdue_stops(run), main);
  append(all, kernel_findings(run), main);
  append(all, surroundings(run), main);
  append(all, listed(unresponsive(state)), main);
  append(all, listed(own_end(state)), main);
  append(all, listed(given_up(state)), main);
  std::stable_sort(all.begin(), all.end(), [](const Finding& left, const Finding& right) { return severity(left.cause) > severity(right.cause); });
  if (all.size() > max_also) all.resize(max_also);
  return all;
}

}  // namespace

void add_evidence(Cause& cause, std::span<const std::string> lines) {
  for (const auto& line : lines) {
    if (cause.evidence.size() >= max_evidence_lines) return;
    if (!line.empty()) cause.evidence.push_back(to_valid_utf8(line, max_evidence_bytes));
  }
}

Verdict classify(const VmState& state, std::span<const std::string> console_tail) {
  Verdict verdict{.state = machine::derive(state), .outcome = machine::outcome(state), .main = {}, .also = {}, .summary = {}};
  if (state.run) {
    verdict.main = main_finding(state, console_tail);
    verdict.also = other_findings(state, console_tail, verdict.main);
  }
  verdict.summary = summarise(state, verdict);
  return verdict;
}

std::optional<machine::StateChanged> announcement(const VmState& state, std::span<const std::string> console_tail) {
  if (!state.run || state.run->outcome) return std::nullopt;
  const auto main = main_finding(state, console_tail);
  machine::StateChanged now{.state = machine::derive(state),
                            .power = machine::power(state),
                            .liveness = machine::liveness(state),
                            .outcome = machine::outcome(state),
                            .cause = {},
                            .service = {}};
  if (main) now.cause = main->cause;
  if (main && main->service) now.service = main->service->value();
  if (!state.announced) return now;
  auto said = *state.announced;
  // More evidence of the same cause is no news.
  const bool same_cause = said.cause.has_value() == now.cause.has_value() &&
                          (!now.cause || (said.cause->text == now.cause->text && said.cause->fields == now.cause->fields));
  if (same_cause) said.cause = now.cause;
  if (said == now) return std::nullopt;
  return now;
}

}  // namespace vigil::verdict

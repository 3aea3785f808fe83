#include "host/machine/derive.hpp"
#include "host/machine/pulse.hpp"
#include "host/verdict/evidence.hpp"

namespace vigil::verdict {

using namespace protocol;

namespace {

/// The kernel says its first word long before the agent on the root file system speaks over the link.
std::optional<Finding> silent_console(const Run& run) {
  const auto& agent = run.stages[static_cast<std::size_t>(Stage::agent)];
  if (run.console_heard || agent.progress != machine::StageProgress::done || !agent.host_unix_us) return std::nullopt;
  const std::string evidence[] = {"the agent speaks over the link, and the console has said nothing"};
  auto cause = make_cause(CauseCode::boot_console_disabled);
  add_evidence(cause, evidence);
  return Finding{cause, std::nullopt, *agent.host_unix_us};
}

std::vector<std::string> signs_of_silence(const Run& run) {
  std::vector<std::string> lines;
  if (run.link_overdue) lines.emplace_back("the link is lost and was not made again");
  if (run.console_overdue) lines.emplace_back("the console is silent");
  if (run.pulse) {
    const auto more = machine::pulse_lines(*run.pulse);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  for (const auto& device : run.device_causes) lines.insert(lines.end(), device.cause.evidence.begin(), device.cause.evidence.end());
  return lines;
}

}  // namespace

std::optional<Finding> unresponsive(const VmState& state) {
  const Run& run = *state.run;
  const auto liveness = machine::liveness(state);
  if (liveness == Liveness::ok) return std::nullopt;
  const bool is_starved = run.pulse && machine::judge_pulse(*run.pulse) == machine::Pulse::starved;
  auto cause = make_cause(is_starved                        ? CauseCode::host_starved
                          : liveness == Liveness::suspect ? CauseCode::link_lost
                                                          : CauseCode::guest_frozen);
  add_evidence(cause, signs_of_silence(run));
  const auto lost = run.link_lost_unix_us.value_or(run.started_unix_us);
  return Finding{cause, std::nullopt, run.pulse_since_unix_us.value_or(lost)};
}

/// A guest that certainly does not run matters more than the broken channel that it would speak over.
std::optional<Finding> stuck(const VmState& state) {
  const bool is_stuck = state.run->pulse && machine::judge_pulse(*state.run->pulse) == machine::Pulse::stuck;
  return is_stuck ? unresponsive(state) : std::nullopt;
}

std::optional<Finding> unfit_agent(const Run& run) {
  if (run.link) return std::nullopt;   // an agent that fits has spoken: the other one is a stranger
  for (const auto& [at, cause] : run.link_causes)
    if (cause.code == CauseCode::boot_agent_skew || cause.code == CauseCode::boot_image_mismatch) return Finding{cause, std::nullopt, at};
  return std::nullopt;
}

std::vector<Finding> surroundings(const Run& run) {
  std::vector<Finding> findings;
  if (auto silent = silent_console(run)) findings.push_back(std::move(*silent));
  for (const auto* causes : {&run.device_causes, &run.health, &run.link_causes, &run.egress_causes})
    for (const auto& [at, cause] : *causes) findings.push_back({cause, std::nullopt, at});
  for (const auto& [provider, failure] : run.signin_failures) findings.push_back({failure.cause, std::nullopt, failure.at_unix_us});
  return findings;
}

}  // namespace vigil::verdict

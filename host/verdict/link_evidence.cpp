#include "host/machine/derive.hpp"
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

}  // namespace

std::optional<Finding> unresponsive(const VmState& state) {
  const Run& run = *state.run;
  const auto since = run.link_lost_unix_us.value_or(run.started_unix_us);
  switch (machine::liveness(state)) {
    case Liveness::ok: return std::nullopt;
    case Liveness::suspect: return Finding{make_cause(CauseCode::link_lost), std::nullopt, since};
    case Liveness::unresponsive: break;
  }
  const std::string evidence[] = {"the link is lost and was not made again", "the console is silent"};
  auto cause = make_cause(CauseCode::guest_frozen);
  add_evidence(cause, evidence);
  return Finding{cause, std::nullopt, since};
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
  for (const auto* causes : {&run.device_causes, &run.health, &run.link_causes})
    for (const auto& [at, cause] : *causes) findings.push_back({cause, std::nullopt, at});
  return findings;
}

}  // namespace vigil::verdict

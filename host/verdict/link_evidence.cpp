#include "host/machine/derive.hpp"
#include "host/verdict/evidence.hpp"

namespace vigil::verdict {

using namespace protocol;

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

std::vector<Finding> surroundings(const Run& run) {
  std::vector<Finding> findings;
  for (const auto* causes : {&run.device_causes, &run.health, &run.link_causes})
    for (const auto& [at, cause] : *causes) findings.push_back({cause, std::nullopt, at});
  return findings;
}

}  // namespace vigil::verdict

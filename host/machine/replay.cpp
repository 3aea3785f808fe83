#include "host/machine/ends.hpp"
#include "host/machine/reduce.hpp"

namespace vigil::machine {

VmState replay(std::span<const VmEvent> events) {
  VmState state;
  for (const auto& event : events) reduce(state, event);
  return state;
}

std::optional<VmState> replay_run(std::span<const VmEvent> events, RunNumber run) {
  VmState state;
  for (const auto& event : events) {
    if (event.run > run) continue;
    reduce(state, event);
  }
  if (!state.run || state.run->number != run) return std::nullopt;
  return state;
}

std::vector<Effect> pending_effects(const VmState& state) {
  std::vector<Effect> effects;
  for (const auto& [name, due] : state.deadlines) effects.push_back(ArmDeadline{name, due});
  if (!state.run) return effects;
  if (state.run->end) {
    effects.push_back(ArchiveRun{});
    if (const auto next = following_run(state)) effects.push_back(*next);
    if (const auto ended = exhausted_restarts(state); ended && !state.restarts_ended) effects.push_back(*ended);
    return effects;
  }
  if (!state.run->stop) return effects;
  if (state.run->stop->kill_sent) effects.push_back(KillVmm{9, "asked for by " + state.run->stop->request.actor});
  else effects.push_back(shutdown_request(*state.run->stop));
  return effects;
}

Result<RunNumber> next_run(const VmState& state) {
  if (state.id.value().empty()) return Error(Errc::not_found, "there is no such instance");
  if (state.removed) return Error(Errc::conflict, "the instance was removed");
  if (!state.run) return RunNumber(1);
  if (!state.run->end) return Error(Errc::conflict, "run " + std::to_string(state.run->number.value()) + " has not ended");
  return RunNumber(state.run->number.value() + 1);
}

}  // namespace vigil::machine

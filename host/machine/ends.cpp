#include "host/machine/ends.hpp"

#include "host/machine/derive.hpp"
#include "host/machine/reduce.hpp"

#include <algorithm>

namespace vigil::machine {

using namespace protocol;

namespace {

constexpr auto first_backoff = std::chrono::milliseconds(1000);
constexpr auto longest_backoff = std::chrono::milliseconds(60'000);

bool wants_reboot(const Run& run) {
  if (run.stop) return run.stop->request.kind == StopKind::reboot;
  return run.bye && run.bye->report.kind == ByeReport::Kind::reboot;
}

bool policy_restarts(const VmState& state, Outcome ended) {
  if (state.run->stop || ended == Outcome::destroyed) return false;
  switch (state.spec.restart) {
    case RestartPolicy::never: return false;
    case RestartPolicy::on_failure: return ended != Outcome::clean;
    case RestartPolicy::always: return true;
  }
  return false;
}

std::chrono::milliseconds backoff(std::uint32_t unsteady_runs) {
  const auto doublings = std::clamp<std::uint32_t>(unsteady_runs, 1, 7) - 1;
  return std::min(first_backoff * (1U << doublings), longest_backoff);
}

/// Ready for a while, or ended as somebody wanted it: what follows is no repetition of a failure. A host that was rebooted meanwhile has another clock.
bool went_well(const VmState& state, MonoUs now) {
  const Run& run = *state.run;
  if (run.stop) return true;
  if (!run.ready_mono_us) return false;
  const auto since = *run.ready_mono_us;
  const bool was_steady = now < since || now - since >= static_cast<MonoUs>(std::chrono::microseconds(steady_after).count());
  return was_steady || outcome(state) == Outcome::clean;
}

}  // namespace

Effect shutdown_request(const StopRecord& stop) {
  const bool reboots = stop.request.kind == StopKind::reboot;
  return RequestGuestShutdown{reboots ? ByeReport::Kind::reboot : ByeReport::Kind::poweroff};
}

void kill_overdue(const Change& change, const std::string& why) {
  if (change.run.stop) change.run.stop->kill_sent = true;
  change.effects.push_back(KillVmm{9, why});
}

void end_run(const Change& change, EndRecord end) {
  auto& [state, run, event, effects] = change;
  run.end = std::move(end);
  run.link_is_up = false;
  cancel_all(change);
  if (run.ready_mono_us || run.stop) state.unready_reboots = 0;
  else ++state.unready_reboots;
  state.unsteady_runs = went_well(state, event.mono_us) ? 0 : state.unsteady_runs + 1;
  effects.push_back(ArchiveRun{});
  if (const auto next = following_run(state)) effects.push_back(*next);
  if (const auto ended = exhausted_restarts(state)) effects.push_back(*ended);
}

void forbid_next_run(VmState& state, const VmEvent& event, const StopRequested& body) {
  if (body.kind == StopKind::reboot) return void(++state.stray_events);
  state.run->stop = StopRecord{body, event.at_unix_us, state.run->stop && state.run->stop->kill_sent};
}

std::optional<StartNextRun> following_run(const VmState& state) {
  if (!state.run || !state.run->end || state.removed) return std::nullopt;
  const bool asked_by_host = state.run->stop && state.run->stop->request.kind == StopKind::reboot;
  if (asked_by_host) return StartNextRun{std::chrono::milliseconds(0), state.run->stop->request.actor};
  if (wants_reboot(*state.run)) {
    if (state.unready_reboots >= max_unready_reboots) return std::nullopt;
    return StartNextRun{std::chrono::milliseconds(0), guest_reboot_actor};
  }
  if (!policy_restarts(state, *outcome(state)) || state.unsteady_runs >= state.spec.restart_limit) return std::nullopt;
  return StartNextRun{backoff(state.unsteady_runs), policy_actor};
}

std::optional<EndRestarts> exhausted_restarts(const VmState& state) {
  if (!state.run || !state.run->end || state.removed || state.unsteady_runs < state.spec.restart_limit) return std::nullopt;
  if (wants_reboot(*state.run) || !policy_restarts(state, *outcome(state))) return std::nullopt;
  return EndRestarts{state.unsteady_runs, RunNumber(state.run->number.value() - state.unsteady_runs + 1)};
}

}  // namespace vigil::machine

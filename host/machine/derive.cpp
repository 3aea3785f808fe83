#include "host/machine/derive.hpp"

#include "host/machine/pulse.hpp"
#include "host/machine/stages.hpp"

#include <algorithm>

namespace vigil::machine {

using namespace protocol;

namespace {

bool is_ready(const ServiceRecord& record) {
  // An essential service that ends with success and is not restarted (a one-shot) has done what it is for.
  return record.report.state == ServiceState::ready || (record.report.state == ServiceState::stopped && !record.report.cause);
}

template <class Predicate>
bool any_service(const Run& run, Predicate predicate) {
  return std::any_of(run.services.begin(), run.services.end(), [&](const auto& entry) { return predicate(entry.second); });
}

bool essential_gave_up(const Run& run) {
  return any_service(run, [](const ServiceRecord& record) { return record.report.essential && !record.while_stopping && gave_up(record.report); });
}

bool a_stage_failed(const Run& run) {
  return std::any_of(run.stages.begin(), run.stages.end(), [](const StageRecord& stage) { return stage.progress == StageProgress::failed; });
}

bool boot_failed(const Run& run) { return run.start_failed || run.missed || a_stage_failed(run); }

/// QMP's word that the guest itself shut down, after we had asked for it: as good as a bye that was lost.
bool stopped_as_asked(const Run& run) {
  if (!run.stop || !run.end || !run.end->exit || *run.end->exit != ExitStatus(ExitCode{0})) return false;
  // Firecracker's word for every reset; a panic on the console has been looked for before.
  return run.end->reason == "guest-shutdown" || run.end->reason == "guest-reset" || run.end->reason == "reset-or-panic";
}

RunState derive_run(const Run& run) {
  if (panic_finding(run) != nullptr || ended_unasked(run)) return RunState::crashed;
  if (boot_failed(run) || essential_gave_up(run)) return RunState::failed;
  if (run.end) return RunState::stopped;
  return derive_from_guest(run);
}

}  // namespace

bool gave_up(const ServiceReport& service) {
  if (service.state == ServiceState::failed) return true;
  return service.state != ServiceState::ready && service.cause && service.cause->code == CauseCode::service_ready_timeout;
}

const FindingRecord* panic_finding(const Run& run) {
  for (const auto& record : run.findings) {
    const bool is_panic = record.finding.kind == ConsoleKind::panic || record.finding.kind == ConsoleKind::init_killed;
    if (is_panic && !record.taken_back) return &record;
  }
  return nullptr;
}

bool ended_unasked(const Run& run) {
  if (!run.end || !run.end->exit || run.bye) return false;
  const bool asked = run.stop && run.stop->kill_sent;
  return !asked && !stopped_as_asked(run);
}

RunState derive_from_guest(const Run& run) {
  if (boot_failed(run) || essential_gave_up(run)) return RunState::failed;
  if (!run.all_services_known) return RunState::booting;
  const bool essentials_ready = !any_service(run, [](const ServiceRecord& record) { return record.report.essential && !is_ready(record); });
  if (!essentials_ready) return run.ready_mono_us ? RunState::unready : RunState::booting;
  const bool optional_gave_up = any_service(run, [](const ServiceRecord& record) { return !record.report.essential && gave_up(record.report); });
  return optional_gave_up ? RunState::degraded : RunState::ready;
}

RunState derive(const VmState& state) {
  if (!state.run) return RunState::stopped;
  if (state.run->outcome && state.announced) return state.announced->state;   // an ended run never changes
  return derive_run(*state.run);
}

Power power(const VmState& state) {
  if (!state.run || state.run->end) return Power::stopped;
  if (state.run->stop || state.run->bye) return Power::stopping;
  return state.run->vmm ? Power::running : Power::starting;
}

Liveness liveness(const VmState& state) {
  if (!state.run || state.run->end) return Liveness::ok;
  const auto& run = *state.run;
  const auto pulse = run.pulse ? judge_pulse(*run.pulse) : Pulse::well;
  if (pulse == Pulse::stuck || (run.link_overdue && run.console_overdue && pulse != Pulse::starved)) return Liveness::unresponsive;
  return run.link_overdue || pulse == Pulse::starved || (pulse == Pulse::silent && run.pulse->pings > 0) ? Liveness::suspect : Liveness::ok;
}

std::optional<Outcome> outcome(const VmState& state) {
  if (!state.run || !state.run->end) return std::nullopt;
  const Run& run = *state.run;
  if (run.outcome) return run.outcome;
  if (!run.end->exit) return Outcome::failed;
  if (panic_finding(run) != nullptr) return Outcome::crashed;
  if (ended_unasked(run)) return std::holds_alternative<ExitUnknown>(*run.end->exit) ? Outcome::unknown : Outcome::crashed;
  if (boot_failed(run) || essential_gave_up(run)) return Outcome::failed;
  return run.bye || stopped_as_asked(run) ? Outcome::clean : Outcome::destroyed;
}

std::optional<std::uint64_t> ready_after_ms(const VmState& state) {
  if (!state.run || !state.run->ready_mono_us || *state.run->ready_mono_us < state.run->started_mono_us) return std::nullopt;
  return (*state.run->ready_mono_us - state.run->started_mono_us) / 1000;
}

}  // namespace vigil::machine

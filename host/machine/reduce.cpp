#include "host/machine/reduce.hpp"

#include "host/machine/ends.hpp"
#include "host/machine/reports.hpp"
#include "host/machine/stages.hpp"
#include "shared/base/overloaded.hpp"

#include <algorithm>

namespace vigil::machine {

using namespace protocol;

namespace {

constexpr std::size_t max_findings = 64;
constexpr std::size_t max_link_causes = 32;
constexpr MonoUs speaks_on_after_us = 2'000'000;   // what was under way at a panic has arrived by then
constexpr MonoUs timer_slack_us = 50'000;
constexpr auto link_back_within = std::chrono::seconds(10);
constexpr auto console_within = std::chrono::seconds(90);   // the agent prints every 60 s while nothing is acknowledged

void take_panic_back(const Change& change) {
  for (auto& record : change.run.findings)
    if (change.event.mono_us > record.mono_us + speaks_on_after_us) record.taken_back = true;
}

void forget_pulse(Run& run) {
  run.pulse.reset();
  run.pulse_since_unix_us.reset();
}

void heard_on_link(const Change& change) {
  take_panic_back(change);
  change.run.link_overdue = change.run.console_overdue = false;
  forget_pulse(change.run);
  agent_spoke(change);
}

void heard_on_console(const Change& change) {
  change.run.console_heard = true;
  change.run.console_overdue = false;
  if (change.run.link_overdue) arm(change, "console", scaled(change.run, console_within));
}

void push_bounded(Run& run, std::vector<TimedCause>& causes, TimedCause cause) {
  if (causes.size() < max_link_causes) causes.push_back(std::move(cause));
  else ++run.dropped_evidence;
}

// ---- one function an event of a live run ----

void on(const Change& change, const VmmStarted& body) {
  change.run.vmm = body;
  change.run.accelerator = body.accelerator;
  stage_reached(change, Stage::vmm, std::nullopt);
  const bool kill = change.run.stop && change.run.stop->kill_sent;
  if (kill) change.effects.push_back(KillVmm{9, "a kill was asked for while it started"});
}

void on(const Change& change, const StartFailed& body) {
  change.run.start_failed = TimedCause{change.event.at_unix_us, body.cause};
  auto& vmm = stage_record(change.run, Stage::vmm);
  if (vmm.progress != StageProgress::done) vmm.progress = StageProgress::failed;
  end_run(change, EndRecord{change.event.at_unix_us, std::nullopt, "", {}});
}

void on(const Change& change, const LinkUp& body) {
  auto& run = change.run;
  run.link = body;
  run.link_is_up = true;
  cancel(change, "link");
  cancel(change, "console");
  heard_on_link(change);
  if (run.bye) return;
  if (run.stop && !run.stop->kill_sent) change.effects.push_back(shutdown_request(*run.stop));
  const auto initrd = stage_record(run, Stage::initrd).progress;
  if (initrd != StageProgress::done && initrd != StageProgress::failed) stage_reached(change, Stage::initrd, std::nullopt);
}

void on(const Change& change, const LinkLost& body) {
  auto& run = change.run;
  if (run.link_is_up) ++run.links_lost;
  run.link_is_up = false;
  run.link_lost_unix_us = change.event.at_unix_us;
  if (body.cause) push_bounded(run, run.link_causes, {change.event.at_unix_us, *body.cause});
  if (!run.bye) arm(change, "link", scaled(run, link_back_within));
}

void on(const Change& change, const LinkRefused& body) {
  push_bounded(change.run, change.run.link_causes, {change.event.at_unix_us, make_cause(CauseCode::link_refused, {{"reason", body.reason}})});
}

/// A VM that tries ever new names pushes its older ones out, not the newer ones away.
void on(const Change& change, const EgressRefused& body) {
  auto& run = change.run;
  run.egress_refused += body.count;
  auto& causes = run.egress_causes;
  std::erase_if(causes, [&](const TimedCause& each) { return each.cause.text == body.cause.text && each.cause.fields == body.cause.fields; });
  if (causes.size() >= max_link_causes) {
    causes.erase(causes.begin());
    ++run.dropped_evidence;
  }
  causes.push_back({change.event.at_unix_us, body.cause});
}

void on(const Change& change, const ClockSynced& body) {
  if (!change.run.clock || body.rtt_us <= change.run.clock->rtt_us) change.run.clock = body;
  heard_on_link(change);
}

/// A second finding with the same time stamp is the first one with the lines that followed it.
bool complete_finding(Run& run, const ConsoleFinding& finding) {
  for (auto& record : run.findings) {
    const auto& known = record.finding;
    if (known.kind != finding.kind || known.kernel_us != finding.kernel_us || known.text != finding.text) continue;
    if (finding.lines.size() > known.lines.size()) record.finding.lines = finding.lines;
    return true;
  }
  return false;
}

void on(const Change& change, const ConsoleFinding& body) {
  auto& run = change.run;
  heard_on_console(change);
  if (body.kind == ConsoleKind::linux_version) return stage_reached(change, Stage::kernel, body.kernel_us, body.text);
  if (complete_finding(run, body)) return;
  const bool is_panic = body.kind == ConsoleKind::panic || body.kind == ConsoleKind::init_killed;
  if (is_panic) cancel_stage_deadlines(change);
  if (run.findings.size() >= max_findings) {
    ++run.dropped_evidence;
    if (!is_panic) return;
    run.findings.pop_back();
  }
  run.findings.push_back({change.event.at_unix_us, change.event.mono_us, body, run.ready_mono_us.has_value(), false});
}

void on(const Change& change, const Reported& body) {
  if (body.channel == Channel::link) heard_on_link(change);
  else heard_on_console(change);
  apply_report(change, body);
}

void on(const Change& change, const DeadlinePassed& body) {
  const auto armed = change.state.deadlines.find(body.name);
  if (armed == change.state.deadlines.end()) {
    ++change.state.stray_events;                 // cancelled while its timer was on the way
    return;
  }
  if (change.event.mono_us + timer_slack_us < armed->second) {
    change.effects.push_back(ArmDeadline{body.name, armed->second});
    return;
  }
  change.state.deadlines.erase(armed);
  auto& run = change.run;
  for (const auto stage : all_stages)
    if (body.name == stage_deadline_name(stage)) return stage_deadline_passed(change, stage);
  if (body.name == "stop") return kill_overdue(change, "it did not end in time after it was asked to stop");
  if (body.name == "exit") return kill_overdue(change, "the guest has said bye, but its VMM did not end");
  if (body.name == "console") run.console_overdue = true;
  if (body.name != "link") return;
  run.link_overdue = true;
  arm(change, "console", scaled(run, console_within));
}

void on(const Change& change, const StopRequested& body) {
  auto& run = change.run;
  const bool was_killed = run.stop && run.stop->kill_sent;
  run.stop = StopRecord{body, change.event.at_unix_us, was_killed};
  cancel_stage_deadlines(change);
  if (body.kind == StopKind::kill) {
    run.stop->kill_sent = true;
    change.effects.push_back(KillVmm{9, "asked for by " + body.actor});
    return;
  }
  change.effects.push_back(shutdown_request(*run.stop));
  arm(change, "stop", body.grace);
}

void on(const Change& change, const VmmExited& body) {
  end_run(change, EndRecord{body.ended_unix_us != 0 ? body.ended_unix_us : change.event.at_unix_us, body.exit, body.reason, body.last_words});
}

void on(const Change& change, const DeviceExited& body) {
  auto& run = change.run;
  const auto evidence = body.device + " ended with " + to_text(body.exit);
  const auto cause = make_cause(CauseCode::vmm_device_died, {{"device", body.device}}, {evidence});
  push_bounded(run, run.device_causes, {change.event.at_unix_us, cause});
}

void on(const Change& change, const VmmHalted& body) {
  auto& run = change.run;
  run.vmm_halted.reset();
  if (body.halted) run.vmm_halted = change.event.at_unix_us;
}

void on(const Change& change, const ShimLost& body) {
  change.effects.push_back(KillVmm{9, "its shim is gone"});
  end_run(change, EndRecord{change.event.at_unix_us, ExitUnknown{body.reason}, "", {}});
}

void on(const Change& change, const Adopted&) {
  change.run.link_is_up = false;
  if (!change.run.bye) arm(change, "link", scaled(change.run, link_back_within));
}

void on(const Change& change, const LogsLost& body) { change.run.log_bytes_lost += body.bytes; }

void on(const Change& change, const PulseTaken& body) {
  if (body.answers) return forget_pulse(change.run);
  change.run.pulse = body;
  if (!change.run.pulse_since_unix_us) change.run.pulse_since_unix_us = change.event.at_unix_us;
}

// ---- events that are not only for a live run ----

void open_run(VmState& state, const VmEvent& event, const StartRequested& body, std::vector<Effect>& effects) {
  state.run.emplace();
  state.deadlines.clear();
  state.announced.reset();
  state.restarts_ended.reset();
  state.lease.reset();
  state.decided.clear();
  const bool by_itself = body.actor == policy_actor || body.actor == guest_reboot_actor;
  if (!by_itself) state.unready_reboots = state.unsteady_runs = 0;     // somebody, or the host's reboot, begins anew
  Run& run = *state.run;
  run.number = event.run;
  run.actor = body.actor;
  run.started_unix_us = event.at_unix_us;
  run.started_mono_us = event.mono_us;
  run.accelerator = body.accelerator;
  stage_record(run, Stage::vmm).progress = StageProgress::active;
  arm_stage(Change{state, run, event, effects}, Stage::vmm);
}

void announce(VmState& state, const StateChanged& body) {
  const bool is_final = state.run && state.run->end && body.outcome;
  if (state.run && state.run->outcome) return;   // said once, for ever
  state.announced = body;
  if (is_final) state.run->outcome = body.outcome;
}

/// Those whose time is past make room.
void set_hold(VmState& state, const VmEvent& event, const HoldSet& body) {
  std::erase_if(state.holds, [&](const auto& each) { return each.second.until_unix_us <= event.at_unix_us; });
  state.holds.erase(body.holder);
  if (body.until_unix_us > event.at_unix_us && state.holds.size() < max_holds) state.holds.emplace(body.holder, body);
}

bool is_of_run(const VmState& state, const VmEvent& event) { return state.run && state.run->number == event.run; }

template <class Body>
void in_live_run(VmState& state, const VmEvent& event, const Body& body, std::vector<Effect>& effects) {
  if (!is_of_run(state, event) || state.run->end) {
    ++state.stray_events;
    return;
  }
  on(Change{state, *state.run, event, effects}, body);
}

}  // namespace

std::vector<Effect> reduce(VmState& state, const VmEvent& event) {
  std::vector<Effect> effects;
  const auto live = [&](const auto& body) { in_live_run(state, event, body, effects); };
  const bool created = !state.id.value().empty();
  std::visit(Overloaded{
                 [&](const Created& body) {
                   if (created) return void(++state.stray_events);
                   state.id = event.instance;
                   state.spec = body.spec;
                   state.created_unix_us = event.at_unix_us;
                 },
                 [&](const StartRequested& body) {
                   const auto next = next_run(state);
                   if (!next || *next != event.run) return void(++state.stray_events);
                   open_run(state, event, body, effects);
                 },
                 [&](const StopRequested& body) {
                   if (is_of_run(state, event) && state.run->end) return forbid_next_run(state, event, body);
                   live(body);
                 },
                 [&](const StateChanged& body) { announce(state, body); },
                 [&](const Removed&) {
                   state.removed = true;
                   if (state.run) cancel_all(Change{state, *state.run, event, effects});
                 },
                 [&](const VmmStarted& body) { live(body); },
                 [&](const StartFailed& body) { live(body); },
                 [&](const LinkUp& body) { live(body); },
                 [&](const LinkLost& body) { live(body); },
                 [&](const LinkRefused& body) { live(body); },
                 [&](const EgressRefused& body) { live(body); },
                 [&](const ClockSynced& body) { live(body); },
                 [&](const ConsoleFinding& body) { live(body); },
                 [&](const Reported& body) { live(body); },
                 [&](const DeadlinePassed& body) { live(body); },
                 [&](const VmmExited& body) { live(body); },
                 [&](const DeviceExited& body) { live(body); },
                 [&](const VmmHalted& body) { live(body); },
                 [&](const ShimLost& body) { live(body); },
                 [&](const Adopted& body) { live(body); },
                 [&](const LogsLost& body) { live(body); },
                 [&](const Reconciled&) {},               // of what lay around, not of the VM
                 [&](const RestartsEnded& body) { state.restarts_ended = body; },
                 [&](const PulseTaken& body) { live(body); },
                 [&](const HoldSet& body) { set_hold(state, event, body); },
                 [&](const LeaseSet& body) { state.lease = body; },
                 [&](const PolicyPaused& body) { state.policy_paused = body; },
                 [&](const PolicyDecided& body) { state.decided[body.rule] = body; },
                 [&](const TokenBound&) {},               // of the link, not of the VM
                 [&](const ReportRepeated&) {},           // nothing that was not told before
             },
             event.body);
  state.last_seq = std::max(state.last_seq, event.seq);
  return effects;
}

}  // namespace vigil::machine

#include "tests/unit/host/store/world.hpp"

#include "host/machine/derive.hpp"
#include "host/machine/state_codec.hpp"
#include "host/store/rebuild.hpp"
#include "host/store/restore.hpp"
#include "host/verdict/verdict.hpp"
#include "shared/base/overloaded.hpp"
#include "tests/unit/host/machine/schedule.hpp"

#include <algorithm>

namespace vigil::test {

using namespace machine;
using namespace protocol;
using machine::test::make_finding;
using machine::test::make_service;
using machine::test::make_spec;
using machine::test::make_stage;

namespace {

std::unique_ptr<store::Store> open_store(const std::string& path) {
  auto opened = store::Store::open(path);
  if (!opened) throw std::runtime_error(opened.error().message());
  return std::move(*opened);
}

}  // namespace

World::World(std::string store_path) : path_(std::move(store_path)), store_(open_store(path_)) {
  for (const auto* const name : {"a", "b"}) {
    Vm vm;
    vm.id = InstanceId(std::string("vm-000000000") + name);
    vm.name = name;
    vms_.push_back(std::move(vm));
  }
  for (auto& vm : vms_) {
    auto spec = make_spec(vm.name);
    spec.restart = vm.name == "a" ? RestartPolicy::on_failure : RestartPolicy::always;
    spec.restart_limit = 3;
    happened(vm, Created{spec});
  }
  broken_ = commit();
}

VmEvent World::event_of(const Vm& vm, EventBody body) const {
  return {0, vm.id, vm.state.run ? vm.state.run->number : RunNumber(0), unix_us_, mono_us_, std::move(body)};
}

// ---- the daemon: what host/daemon/event_pipeline and vm_actor do ----

std::string World::commit() {
  std::map<Vm*, VmState> before;
  std::map<Vm*, std::vector<Effect>> effects;
  const auto items = std::exchange(queue_, {});
  auto batch = store_->begin();
  for (auto [vm, event] : items) {
    before.try_emplace(vm, vm->state);
    const auto take = [&, vm = vm](VmEvent& each) {
      if (batch.add(each).kind != store::Admission::Kind::accepted) return false;
      std::ranges::move(reduce(vm->state, each), std::back_inserter(effects[vm]));
      return true;
    };
    if (!take(event)) continue;
    if (const auto said = verdict::announcement(vm->state)) {
      auto announced = event;
      announced.body = *said;
      take(announced);
    }
  }
  if (pick(30) == 0) {                            // the disk refuses: all is as it was, guests send again, the rest is kept
    for (auto& [vm, state] : before) vm->state = std::move(state);
    for (const auto& item : items)
      if (!std::holds_alternative<Reported>(item.second.body) && !std::holds_alternative<StartRequested>(item.second.body))
        queue_.push_back(item);
    for (auto& vm : vms_)
      if (vm.vmm) vm.vmm->guest.link = false;
    return "";
  }
  if (const auto done = batch.commit(); !done) return done.error().message();
  for (auto& [vm, state] : before) {
    std::ranges::move(effects[vm], std::back_inserter(vm->effects));
    if (pick(12) == 0 && !store_->keep_snapshot(vm->id, {vm->state.last_seq, encode_state(vm->state)}))
      return vm->name + ": its snapshot is not kept";
    if (auto broken = check(*vm); !broken.empty()) return vm->name + ": " + broken;
  }
  return "";
}

void World::request_start(Vm& vm) {
  const auto number = next_run(vm.state);
  if (!number || vm.vmm) return;
  auto event = event_of(vm, StartRequested{"somebody", Accelerator::kvm});
  event.run = *number;
  queue_.emplace_back(&vm, event);
  if (broken_ = commit(); !broken_.empty()) return;
  vm.next_start.reset();
  vm.spawning = vm.state.run && vm.state.run->number == *number;
}

void World::carry_out(Vm& vm, const Effect& effect) {
  std::visit(Overloaded{[&](const ArmDeadline& arm) { vm.timers[arm.name] = arm.due_mono_us; },
                        [&](const CancelDeadline& cancel) { vm.timers.erase(cancel.name); },
                        [&](const RequestGuestShutdown& request) {
                          if (!vm.vmm || !vm.vmm->alive || vm.vmm->guest.said_bye || pick(4) == 0) return;   // it may not hear
                          vm.vmm->guest.said_bye = true;
                          report(vm, ByeReport{request.kind, "asked for", false});
                        },
                        [&](const KillVmm& kill) { end_vmm(vm, ExitSignal{kill.signal, false}); },
                        [&](const ArchiveRun&) {
                          if (vm.vmm && !vm.vmm->alive) vm.vmm.reset();
                        },
                        [&](const StartNextRun& next) {
                          vm.next_start = mono_us_ + static_cast<MonoUs>(std::chrono::microseconds(next.after).count());
                        },
                        [&](const EndRestarts& ended) { happened(vm, RestartsEnded{ended.count, ended.first_run}); }},
             effect);
}

void World::do_pending(Vm& vm) {
  if (std::exchange(vm.spawning, false)) {
    Vmm vmm;
    vmm.run = vm.state.run->number;
    vmm.guest.boot = BootId("0000000" + std::to_string(boots_ % 10) + "-0000-4000-8000-" + std::to_string(100'000'000'000 + boots_));
    ++boots_;
    vm.vmm = std::move(vmm);
    happened(vm, VmmStarted{});
  }
  for (const auto& effect : std::exchange(vm.effects, {})) carry_out(vm, effect);
}

void World::pass_deadlines(Vm& vm, MonoUs slack) {
  for (const auto& [name, due] : std::map(vm.timers))
    if (mono_us_ >= due + slack) {
      vm.timers.erase(name);
      happened(vm, DeadlinePassed{name});
    }
  if (vm.next_start && mono_us_ >= *vm.next_start) request_start(vm);
}

/// All that a killed daemon forgets; then the start of the next one.
void World::crash_daemon() {
  queue_.clear();
  store_.reset();
  store_ = open_store(path_);
  for (auto& vm : vms_) {
    vm.timers.clear();
    vm.effects.clear();
    vm.next_start.reset();
    vm.spawning = false;
    if (vm.vmm) vm.vmm->guest.link = false;
    const auto history = store_->history(vm.id);
    if (history->skipped != 0) broken_ = "an event that cannot be read";
    const auto replayed = replay(history->events);
    if (replayed != vm.state) broken_ = vm.name + ": the replayed state is another";
    const auto restored = store::restore_state(*store_, vm.id);
    if (!restored || !restored->unused.empty() || restored->state != vm.state)
      broken_ = vm.name + ": the state from the snapshot on is another";
    if (restored && restored->replayed < history->events.size()) ++shortened_;
    vm.state = replayed;
  }
  for (auto& vm : vms_) resume(vm);
}

void World::resume(Vm& vm) {
  const bool is_live = vm.state.run && !vm.state.run->end;
  if (is_live && !vm.vmm)
    happened(vm, vm.state.run->vmm ? EventBody(ShimLost{"gone"}) : EventBody(StartFailed{make_cause(CauseCode::vmm_start_failed)}));
  else if (is_live && vm.vmm->alive)
    happened(vm, vm.state.run->vmm ? EventBody(Adopted{7}) : EventBody(VmmStarted{}));
  for (const auto& effect : pending_effects(vm.state)) vm.effects.push_back(effect);
}

// ---- the VMM ----

void World::end_vmm(Vm& vm, ExitStatus) {
  if (vm.vmm) vm.vmm->alive = false;
}

/// Again and again until it is stored.
void World::tell_end(Vm& vm) {
  const bool is_live = vm.state.run && !vm.state.run->end;
  if (!is_live || !vm.vmm || vm.vmm->alive) return;
  if (!vm.state.run->vmm) happened(vm, VmmStarted{});
  happened(vm, vm.vmm->has_shim ? EventBody(VmmExited{ExitSignal{9, false}, "", unix_us_, 0, 0, 0}) : EventBody(ShimLost{"gone"}));
}

// ---- the guest ----

void World::report(Vm& vm, ReportBody body) {
  auto& guest = vm.vmm->guest;
  const Report made{guest.boot, 0, guest.next_seq++, mono_us_, std::move(body)};
  sent_[{vm.id, vm.vmm->run, guest.boot}].insert(made.seq);
  guest.outbox.push_back(made);
}

void World::guest_does(Vm& vm) {
  auto& guest = vm.vmm->guest;
  const auto state = pick(3) == 0 ? ServiceState::unready : ServiceState::ready;
  switch (guest.stage++) {
    case 0: return happened(vm, make_finding(ConsoleKind::linux_version, "Linux version 6.12.0 (x)"));
    case 1: return report(vm, make_stage(Stage::initrd, StageReport::Phase::done));
    case 2: return report(vm, make_stage(Stage::rootfs, StageReport::Phase::done));
    case 3: return report(vm, make_stage(Stage::agent, StageReport::Phase::done));
    case 4: return report(vm, make_service("web", ServiceState::starting));
    case 5: return report(vm, make_stage(Stage::services, StageReport::Phase::done));
    case 6: vm.ready_runs.insert(vm.vmm->run.value()); return report(vm, make_service("web", ServiceState::ready));
    default: break;
  }
  if (pick(3) != 0) return report(vm, HealthReport{});
  report(vm, make_service(pick(2) == 0 ? "web" : "extra", state, {}, true));
}

/// In order from the first that is not acknowledged; a link that is new begins there again.
void World::deliver(Vm& vm) {
  auto& guest = vm.vmm->guest;
  if (!guest.link) {
    guest.link = true;
    happened(vm, LinkUp{guest.boot, 0, guest.stage > 3 ? "init" : "initrd", "", "", "", "",
                        guest.outbox.empty() ? guest.next_seq : guest.outbox.front().seq});
    if (!std::exchange(guest.has_token, true)) happened(vm, TokenBound{guest.boot, "c0ffee"});
  }
  const auto acknowledged = store_->acknowledged(vm.id, vm.vmm->run, 0, guest.boot);
  for (; !guest.outbox.empty() && guest.outbox.front().seq <= acknowledged; guest.outbox.pop_front())
    if (!std::holds_alternative<HealthReport>(guest.outbox.front().body))
      forgotten_[{vm.id, vm.vmm->run, guest.boot}].insert(guest.outbox.front().seq);
  const auto count = std::min<std::size_t>(guest.outbox.size(), 1 + pick(5));
  for (std::size_t i = 0; i < count; ++i) happened(vm, Reported{guest.outbox[i], Channel::link, false, 0});
  if (pick(9) == 0) {
    guest.link = false;
    happened(vm, LinkLost{"broke", {}});
  }
}

void World::deliver_digest(Vm& vm) {
  auto& guest = vm.vmm->guest;
  if (guest.outbox.empty()) return;
  auto digest = guest.outbox[pick(static_cast<std::uint32_t>(guest.outbox.size()))];
  digest.boot = BootId(digest.boot.value().substr(0, 8));
  happened(vm, Reported{std::move(digest), Channel::console, true, 0});
}

// ---- steps ----

void World::act(std::uint32_t kind) {
  auto& vm = some_vm();
  const bool has_guest = vm.vmm && vm.vmm->alive;
  switch (kind % 20) {
    case 0: return request_start(vm);
    case 1: return crash_daemon();
    case 2:
      if (pick(3) == 0) end_vmm(vm, ExitSignal{11, true});
      return;
    case 3:
      if (vm.vmm && pick(6) == 0) vm.vmm->has_shim = vm.vmm->alive = false;   // the VMM goes with its shim
      return;
    case 4:
      if (vm.state.run && !vm.state.run->end && pick(3) == 0)
        happened(vm, StopRequested{pick(2) == 0   ? StopKind::stop
                                   : pick(2) == 0 ? StopKind::kill
                                                  : StopKind::reboot,
                                   std::chrono::seconds(5), "somebody"});
      return;
    case 5: unix_us_ = unix_us_ + 86'400'000'000 * pick(3) - 86'400'000'000; return;
    case 6:
      mono_us_ += 1'000'000ULL * pick(40);
      unix_us_ += 1000;
      return;
    case 7: return pass_deadlines(vm, 0);
    case 8: return pass_deadlines(vm, 1'000'000ULL * pick(60));
    case 9: return tell_end(vm);
    case 10:
      if (has_guest && vm.vmm->guest.said_bye) end_vmm(vm, ExitCode{0});
      return;
    case 11:
    case 12: return do_pending(vm);
    default: break;
  }
  if (!has_guest) return do_pending(vm);
  if (kind % 20 == 13)
    deliver_digest(vm);
  else if (kind % 20 < 17)
    guest_does(vm);
  else
    deliver(vm);
}

std::string World::step(std::uint32_t what) {
  if (!broken_.empty()) return broken_;
  random_.seed(what);
  mono_us_ += 1000 * pick(2'000'000) / 1000;
  unix_us_ += 1'000;
  act(what);
  // Several turns' events may wait for one commit.
  if (broken_.empty() && pick(3) != 0) broken_ = commit();
  return broken_;
}

std::string World::come_to_rest() {
  const auto rest = [&](const Vm& vm) { return !vm.vmm && (!vm.state.run || vm.state.run->end) && vm.effects.empty(); };
  for (std::uint32_t round = 0; round < 400 && broken_.empty(); ++round) {
    random_.seed(round);
    mono_us_ += 10'000'000;
    for (auto& vm : vms_) {
      vm.next_start.reset();
      do_pending(vm);
      if (vm.state.run && !vm.state.run->end && !vm.state.run->stop)
        happened(vm, StopRequested{StopKind::kill, std::chrono::seconds(1), "the end"});
      if (vm.vmm && vm.vmm->alive) deliver(vm);
      if (vm.vmm && vm.vmm->alive && vm.state.run->stop && vm.state.run->stop->kill_sent) end_vmm(vm, ExitSignal{9, false});
      pass_deadlines(vm, 0);
      tell_end(vm);
    }
    broken_ = commit();
    if (broken_.empty() && std::ranges::all_of(vms_, rest)) break;
  }
  if (!broken_.empty()) return broken_;
  for (const auto& vm : vms_)
    if (!rest(vm)) return vm.name + " does not come to rest" + (vm.vmm ? ": its VMM is an orphan" : "");
  crash_daemon();
  return broken_.empty() ? check_replay() : broken_;
}

// ---- rules ----

std::string World::check(const Vm& vm) {
  const auto& state = vm.state;
  if (auto broken = machine::test::broken_rule(state); !broken.empty()) return broken;
  if (!state.run) return "";
  const auto number = state.run->number;
  const auto derived = derive(state);
  if ((derived == RunState::ready || derived == RunState::degraded) && !vm.ready_runs.contains(number.value()))
    return "ready, though its guest never said so";
  if (state.run->end && vm.vmm && vm.vmm->alive) return "the run has ended, its VMM lives";
  if (vm.vmm && vm.vmm->run != number) return "a VMM of another run than the open one";
  if (!state.run->end || !state.announced) return "";
  const Told now{state.announced->state, *outcome(state), state.announced->cause ? state.announced->cause->text : ""};
  const auto [first, is_new] = told_.try_emplace({vm.id, number}, now);
  return is_new || first->second == now ? "" : "an end was announced, and then another";
}

/// The log alone: ends as they were announced, each report of each guest at most once, and what was acknowledged there.
std::string World::check_replay() {
  for (const auto& vm : vms_) {
    const auto history = store_->history(vm.id);
    for (const auto& [key, said] : told_) {
      if (key.first != vm.id) continue;
      const auto state = replay_run(history->events, key.second);
      const bool is_same =
          state && state->announced && state->announced->state == std::get<0>(said) && outcome(*state) == std::get<1>(said);
      if (!is_same) return vm.name + ": an ended run is replayed as another";
    }
    std::map<std::tuple<RunNumber, BootId, Seq>, int> stored;
    for (const auto& event : history->events)
      if (const auto* reported = std::get_if<Reported>(&event.body); reported != nullptr && !reported->partial) {
        ++stored[{event.run, reported->report.boot, reported->report.seq}];
        if (!sent_[{vm.id, event.run, reported->report.boot}].contains(reported->report.seq))
          return vm.name + ": a report that nobody sent";
      }
    for (const auto& [key, seqs] : forgotten_)
      for (const auto seq : seqs)
        if (std::get<0>(key) == vm.id && !stored.contains({std::get<1>(key), std::get<2>(key), seq}))
          return vm.name + ": a report was acknowledged and is not stored";
    if (std::ranges::any_of(stored, [](const auto& each) { return each.second != 1; })) return vm.name + ": a report is stored twice";
  }
  store_.reset();
  const auto report = store::compare_projections(path_, store::Repair::none);
  store_ = open_store(path_);
  if (!report) return report.error().message();
  return report->differences.empty()
             ? ""
             : "the tables are not what the log leads to: " + report->differences.front().table + " " + report->differences.front().row;
}

}  // namespace vigil::test

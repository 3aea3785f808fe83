// Lives of a VM that nobody would think of, made from a number; and the rules that no life may break.
#pragma once

#include "tests/unit/host/machine/story.hpp"

#include <random>
#include <string>
#include <vector>

namespace vigil::machine::test {

class Schedule {
public:
  explicit Schedule(std::uint32_t seed) : random_(seed) { events_.push_back(make_event(1, 0, Created{make_spec()})); }

  /// Mostly what could happen next, sometimes an event of another run, a repetition, or an exchange of neighbours.
  std::vector<VmEvent> make(std::size_t length) {
    while (events_.size() < length) {
      if (one_in(12) && events_.size() > 2)
        repeat_one();
      else
        add(random_body());
      if (one_in(15) && events_.size() > 3) std::swap(events_[events_.size() - 1].body, events_[events_.size() - 2].body);
    }
    return events_;
  }

private:
  bool one_in(std::uint32_t n) { return random_() % n == 0; }
  void add(EventBody body) {
    now_ms_ += random_() % 3000;
    if (std::holds_alternative<StartRequested>(body)) ++run_;
    const auto run = one_in(20) ? RunNumber(run_ + 1) : RunNumber(std::max(run_, 1U));
    events_.push_back(make_event(events_.size() + 1, now_ms_, std::move(body), run));
  }
  void repeat_one() { add(events_[1 + random_() % (events_.size() - 1)].body); }

  ServiceReport random_service() {
    constexpr ServiceState states[] = {ServiceState::waiting, ServiceState::starting, ServiceState::ready,  ServiceState::unready,
                                       ServiceState::backoff, ServiceState::failed,   ServiceState::stopped};
    const bool essential = one_in(2);
    return make_service(essential ? "web" : "extra", states[random_() % 7], {}, essential);
  }

  ReportBody random_report() {
    switch (random_() % 6) {
      case 0: return make_stage(all_stages[2 + random_() % 5], one_in(2) ? StageReport::Phase::done : StageReport::Phase::begin);
      case 1: return make_stage(Stage::ready, StageReport::Phase::done);
      case 2:
        return make_stage(Stage::rootfs, one_in(4) ? StageReport::Phase::failed : StageReport::Phase::done, "",
                          make_cause(CauseCode::boot_root_missing));
      case 3:
        return one_in(4) ? ReportBody(ByeReport{one_in(2) ? ByeReport::Kind::reboot : ByeReport::Kind::poweroff, "x", false})
                         : ReportBody(HealthReport{});
      default: return random_service();
    }
  }

  EventBody random_body() {
    constexpr const char* names[] = {"stage:vmm",      "stage:kernel", "stage:initrd", "stage:rootfs", "stage:agent",
                                     "stage:services", "stop",         "exit",         "link",         "console"};
    switch (random_() % 14) {
      case 0: return StartRequested{"a", Accelerator::kvm};
      case 1: return VmmStarted{};
      case 2: return LinkUp{boot_id, 0, "init", "", "", "", "", 1};
      case 3: return LinkLost{"gone", {}};
      case 4:
        return one_in(3) ? EventBody(make_finding(ConsoleKind::panic, "Kernel panic - not syncing: x"))
                         : EventBody(make_finding(ConsoleKind::oops, "Oops"));
      case 5: return DeadlinePassed{names[random_() % 10]};
      case 6:
        return one_in(3) ? EventBody(StopRequested{one_in(2) ? StopKind::stop : StopKind::kill, std::chrono::seconds(1), "b"})
                         : EventBody(ClockSynced{5, 7});
      case 7:
        return one_in(3) ? EventBody(VmmExited{one_in(2) ? ExitStatus(ExitSignal{9, false}) : ExitStatus(ExitCode{0}), "", 0, 0, 0, 0})
                         : EventBody(Adopted{1});
      case 8:
        return one_in(8)   ? EventBody(ShimLost{"x"})
               : one_in(2) ? EventBody(DeviceExited{"d", ExitCode{1}})
               : one_in(2) ? EventBody(PulseTaken{
                                 .answers = one_in(2), .pings = random_() % 5, .vmm_status = "running", .looks_stuck = random_() % 5})
                           : EventBody(VmmHalted{one_in(2)});
      case 9: return one_in(20) ? EventBody(StartFailed{make_cause(CauseCode::vmm_start_failed)}) : EventBody(LinkRefused{"no token"});
      default: return make_report(1 + random_() % 200, random_report(), one_in(4) ? Channel::console : Channel::link);
    }
  }

  std::mt19937 random_;
  std::vector<VmEvent> events_;
  std::uint64_t now_ms_ = 0;
  std::uint32_t run_ = 0;
};

/// Every essential service is ready, and the guest has said that these are all.
inline bool has_evidence_of_ready(const Run& run) {
  if (!run.all_services_known || run.end) return false;
  for (const auto& [name, record] : run.services)
    if (record.report.essential && record.report.state != ServiceState::ready && record.report.state != ServiceState::stopped) return false;
  return true;
}

/// The rule that this state breaks, or nothing. One assertion a schedule: there are thousands of states.
inline std::string broken_rule(const VmState& state) {
  if (!state.run) return "";
  const auto derived = derive(state);
  const bool says_ready = derived == RunState::ready || derived == RunState::degraded;
  if (says_ready && !has_evidence_of_ready(*state.run)) return "ready without evidence";
  if (outcome(state).has_value() != state.run->end.has_value()) return "an outcome without an end, or an end without one";
  if (state.run->end && !state.deadlines.empty()) return "a deadline armed after the end";
  if (state.run->end && power(state) != Power::stopped) return "not stopped after the end";
  return state.run->findings.size() <= 64 ? "" : "unbounded";
}

}  // namespace vigil::machine::test

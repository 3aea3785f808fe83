// A VM's life told event by event, as tests need it: times in milliseconds since the start, the state folded along.
#pragma once

#include "host/machine/derive.hpp"
#include "host/machine/reduce.hpp"

#include <string>
#include <vector>

namespace vigil::machine::test {

using namespace vigil::protocol;

inline const InstanceId vm_id("vm-0123456789");
inline const BootId boot_id("0a1b2c3d-0000-4000-8000-000000000001");
inline constexpr UnixUs epoch_unix_us = 1'700'000'000'000'000;
inline constexpr MonoUs epoch_mono_us = 50'000'000;

inline InstanceSpec make_spec(const std::string& name = "one") {
  InstanceSpec spec;
  spec.name = InstanceName(name);
  spec.image_name = "minimal";
  spec.image_digest = std::string(64, 'a');
  return spec;
}

inline VmEvent make_event(EventSeq seq, std::uint64_t at_ms, EventBody body, RunNumber run = RunNumber(1)) {
  const bool of_no_run = std::holds_alternative<Created>(body) || std::holds_alternative<Removed>(body);
  return VmEvent{.seq = seq,
                 .instance = vm_id,
                 .run = of_no_run ? RunNumber(0) : run,
                 .at_unix_us = epoch_unix_us + at_ms * 1000,
                 .mono_us = epoch_mono_us + at_ms * 1000,
                 .body = std::move(body)};
}

inline ServiceReport make_service(const std::string& name, ServiceState state, std::optional<Cause> cause = {}, bool essential = true) {
  ServiceReport report;
  report.name = ServiceName(name);
  report.state = state;
  report.essential = essential;
  report.cause = std::move(cause);
  return report;
}

inline StageReport make_stage(Stage stage, StageReport::Phase phase, const std::string& detail = {}, std::optional<Cause> cause = {}) {
  return StageReport{stage, phase, detail, std::move(cause)};
}

inline Reported make_report(Seq seq, ReportBody body, Channel channel = Channel::link, MonoUs guest_us = 1000) {
  return Reported{Report{boot_id, 0, seq, guest_us, std::move(body)}, channel, channel == Channel::console, 0};
}

inline ConsoleFinding make_finding(ConsoleKind kind, const std::string& text, std::map<std::string, std::string> captured = {}) {
  ConsoleFinding finding;
  finding.kind = kind;
  finding.text = text;
  finding.captured = std::move(captured);
  finding.kernel_us = 1'000'000;
  return finding;
}

class Story {
public:
  explicit Story(InstanceSpec spec = make_spec()) { tell(0, Created{std::move(spec)}); }

  std::vector<Effect> tell(std::uint64_t at_ms, EventBody body) {
    events.push_back(make_event(events.size() + 1, at_ms, std::move(body), run));
    return reduce(state, events.back());
  }
  std::vector<Effect> report(std::uint64_t at_ms, ReportBody body, Channel channel = Channel::link) {
    return tell(at_ms, make_report(++report_seq, std::move(body), channel, at_ms * 1000));
  }

  void start(Accelerator accelerator = Accelerator::kvm, const std::string& actor = "alice") {
    tell(0, StartRequested{actor, accelerator});
    VmmStarted started;
    started.accelerator = accelerator;
    tell(100, started);
  }
  void boot() {
    start();
    tell(200, make_finding(ConsoleKind::linux_version, "Linux version 6.12.0 (x)"));
    tell(700,
         LinkUp{.boot = boot_id, .epoch = 0, .phase = "initrd", .agent_version = {}, .build_id = {}, .image_digest = {}, .kernel = {}});
    report(710, make_stage(Stage::initrd, StageReport::Phase::done));
    report(900, make_stage(Stage::rootfs, StageReport::Phase::done));
    report(1000, make_stage(Stage::agent, StageReport::Phase::done));
  }
  /// One essential service "web" and one optional "extra", both ready at two seconds.
  void become_ready() {
    boot();
    report(1100, make_service("web", ServiceState::starting));
    report(1100, make_service("extra", ServiceState::starting, {}, false));
    report(2000, make_service("web", ServiceState::ready));
    report(2000, make_service("extra", ServiceState::ready, {}, false));
    report(2000, make_stage(Stage::ready, StageReport::Phase::done));
    report(2000, make_stage(Stage::services, StageReport::Phase::done));
  }
  void exit(std::uint64_t at_ms, ExitStatus status, const std::string& reason = {}) {
    VmmExited exited;
    exited.exit = std::move(status);
    exited.reason = reason;
    tell(at_ms, exited);
  }

  RunState derived() const { return derive(state); }
  const Run& current() const { return *state.run; }

  RunNumber run = RunNumber(1);
  Seq report_seq = 0;
  VmState state;
  std::vector<VmEvent> events;
};

template <class T>
const T* find_effect(const std::vector<Effect>& effects) {
  for (const auto& effect : effects)
    if (const auto* found = std::get_if<T>(&effect)) return found;
  return nullptr;
}

inline const ArmDeadline* find_armed(const std::vector<Effect>& effects, const std::string& name) {
  for (const auto& effect : effects)
    if (const auto* armed = std::get_if<ArmDeadline>(&effect); armed != nullptr && armed->name == name) return armed;
  return nullptr;
}

}  // namespace vigil::machine::test

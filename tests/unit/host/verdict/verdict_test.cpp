#include "host/verdict/verdict.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

#include <algorithm>

namespace vigil::machine {
using namespace vigil::machine::test;

using verdict::classify;

namespace {

CauseCode main_code(const Story& story) {
  const auto verdict = classify(story.state);
  REQUIRE(verdict.main.has_value());
  return verdict.main->cause.code;
}

std::string main_field(const Story& story, const std::string& name) {
  return field_text(classify(story.state).main->cause, name).value_or("");
}

bool also_has(const Story& story, CauseCode code) {
  const auto also = classify(story.state).also;
  return std::any_of(also.begin(), also.end(), [&](const verdict::Finding& finding) { return finding.cause.code == code; });
}

CrashReport make_crash(const std::string& id, const std::string& service, Cause cause) {
  CrashReport crash;
  crash.crash = id;
  crash.service = service;
  crash.process = "server";
  crash.pid = 42;
  crash.exit = ExitSignal{11, true};
  crash.cause = std::move(cause);
  crash.stderr_tail = "first\nsecond\nlast words\n";
  return crash;
}

}  // namespace

TEST_CASE("verdict: nothing is wrong with a VM that is ready, starting, or stopped as asked", "[host][verdict]") {
  Story ready;
  ready.become_ready();
  CHECK_FALSE(classify(ready.state).main.has_value());
  CHECK(classify(ready.state).summary == "ready: 2 services, ready after 2.0 s");
  Story booting;
  booting.boot();
  CHECK_FALSE(classify(booting.state).main.has_value());
  CHECK(classify(booting.state).summary == "booting: in stage services");
  Story stopped;
  stopped.become_ready();
  stopped.tell(3000, StopRequested{StopKind::stop, std::chrono::seconds(5), "alice"});
  stopped.report(3100, ByeReport{ByeReport::Kind::poweroff, "host", true});
  stopped.exit(3200, ExitCode{0}, "guest-shutdown");
  CHECK_FALSE(classify(stopped.state).main.has_value());
  CHECK(classify(stopped.state).summary == "stopped: as asked by alice");
  CHECK(classify(VmState{}).summary == "stopped: never started");
}

TEST_CASE("verdict: a VMM killed by a signal", "[host][verdict]") {
  const auto [signal, name] = GENERATE(table<int, std::string>({{9, "SIGKILL"}, {11, "SIGSEGV"}, {6, "SIGABRT"}}));
  Story story;
  story.become_ready();
  story.exit(3000, ExitSignal{signal, false});
  CHECK(main_code(story) == CauseCode::vmm_killed);
  CHECK(main_field(story, "signal") == name);
  CHECK(classify(story.state).main->at_unix_us == epoch_unix_us + 3'000'000);
}

TEST_CASE("verdict: what the VMM itself said last is evidence of its end", "[host][verdict]") {
  Story story;
  story.become_ready();
  VmmExited exited;
  exited.exit = ExitCode{1};
  exited.last_words = {"qemu-system-x86_64: cannot set up guest memory 'ram': Cannot allocate memory"};
  story.tell(3000, exited);
  REQUIRE(main_code(story) == CauseCode::vmm_exited);
  const auto evidence = classify(story.state).main->cause.evidence;
  CHECK(std::ranges::find(evidence, "VMM: " + exited.last_words[0]) != evidence.end());
}

TEST_CASE("verdict: ends of a VMM that nobody asked for", "[host][verdict]") {
  struct Row {
    ExitStatus exit;
    std::string reason;
    CauseCode code;
  };
  const auto row = GENERATE(values<Row>({
      {ExitCode{1}, "", CauseCode::vmm_exited},
      {ExitCode{0}, "guest-reset", CauseCode::guest_reboot_unasked},
      {ExitCode{0}, "guest-shutdown", CauseCode::guest_poweroff_unasked},
      {ExitCode{0}, "guest-panic", CauseCode::guest_panic},
      {ExitCode{0}, "", CauseCode::unknown},
      {ExitUnknown{"no exit.json"}, "", CauseCode::unknown},
  }));
  Story story;
  story.become_ready();
  story.exit(3000, row.exit, row.reason);
  CHECK(main_code(story) == row.code);
  CHECK(story.derived() == RunState::crashed);
}

TEST_CASE("verdict: a kernel that never printed and reset itself was silent, not rebooted", "[host][verdict]") {
  Story story;
  story.start();
  story.exit(500, ExitCode{0}, "guest-reset");
  CHECK(main_code(story) == CauseCode::boot_kernel_silent);
}

TEST_CASE("verdict: a panic is boot.panic while booting and guest.panic afterwards", "[host][verdict]") {
  Story booting;
  booting.start();
  booting.tell(500, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: x", {{"text", "x"}}));
  booting.exit(600, ExitCode{0}, "guest-reset");
  CHECK(main_code(booting) == CauseCode::boot_panic);
  CHECK(main_field(booting, "text") == "x");

  Story ready;
  ready.become_ready();
  auto finding = make_finding(ConsoleKind::panic, "Kernel panic - not syncing: sysrq triggered crash", {{"text", "sysrq triggered crash"}});
  finding.lines = {"CPU: 0 PID: 99 Comm: sh"};
  ready.tell(3000, finding);
  CHECK(main_code(ready) == CauseCode::guest_panic);
  CHECK(main_field(ready, "text") == "sysrq triggered crash");
  const auto evidence = classify(ready.state).main->cause.evidence;
  REQUIRE(evidence.size() == 2);
  CHECK(evidence[1] == "CPU: 0 PID: 99 Comm: sh");
}

TEST_CASE("verdict: panics whose words name the missing thing", "[host][verdict]") {
  Story no_root;
  no_root.start();
  no_root.tell(500, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(254,1)",
                                 {{"text", "VFS: Unable to mount root fs on unknown-block(254,1)"}}));
  CHECK(main_code(no_root) == CauseCode::boot_root_missing);
  Story words_alone;
  words_alone.start();
  words_alone.tell(500, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
                                     {{"text", "VFS: Unable to mount root fs on unknown-block(0,0)"}}));
  CHECK(main_code(words_alone) == CauseCode::boot_panic);
  Story killed;
  killed.start();
  killed.tell(500, make_finding(ConsoleKind::init_killed, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
                                {{"exitcode", "0000000b"}}));
  CHECK(main_code(killed) == CauseCode::boot_init_exited);
  CHECK(main_field(killed, "status") == "SIGSEGV");
  Story agent;
  agent.become_ready();
  agent.tell(3000, make_finding(ConsoleKind::init_killed, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
                                {{"exitcode", "00000100"}}));
  CHECK(main_code(agent) == CauseCode::guest_agent_crashed);
}

TEST_CASE("verdict: a reboot after the agent's last words is a crash of the agent", "[host][verdict]") {
  Story story;
  story.become_ready();
  CrashReport crash;
  crash.crash = "agent-1";
  crash.process = "vigil-guest";
  crash.exit = ExitSignal{11, false};
  crash.cause = make_cause(CauseCode::guest_agent_crashed, {}, {"SIGSEGV"});
  story.report(3000, crash, Channel::console);
  story.exit(3100, ExitCode{0}, "guest-reset");
  CHECK(main_code(story) == CauseCode::guest_agent_crashed);
}

TEST_CASE("verdict: a kernel that looks for a root of its own has lost its init", "[host][verdict]") {
  const auto panics = [](Story& story) {
    story.tell(510,
               make_finding(ConsoleKind::no_root, "VFS: Cannot open root device \"\" or unknown-block(0,0): error -19", {{"device", ""}}));
    story.tell(511, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
                                 {{"text", "VFS: Unable to mount root fs on unknown-block(0,0)"}}));
  };
  Story plain;
  plain.start();
  panics(plain);
  CHECK(main_code(plain) == CauseCode::boot_init_missing);
  CHECK(main_field(plain, "path") == "/init");

  Story elsewhere;
  elsewhere.start();
  elsewhere.state.spec.kernel_args = "quiet rdinit=/sbin/other";
  panics(elsewhere);
  CHECK(main_field(elsewhere, "path") == "/sbin/other");

  Story damaged;
  damaged.start();
  damaged.tell(
      500, make_finding(ConsoleKind::initrd_failed, "Initramfs unpacking failed: uncompression error", {{"text", "uncompression error"}}));
  panics(damaged);
  CHECK(main_code(damaged) == CauseCode::boot_initrd_invalid);
  CHECK(main_field(damaged, "reason").ends_with("uncompression error"));

  Story named_device;
  named_device.start();
  named_device.tell(510, make_finding(ConsoleKind::no_root, "VFS: Cannot open root device \"vda9\" or unknown-block(0,0): error -6",
                                      {{"device", "vda9"}}));
  named_device.tell(511, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: VFS: Unable to mount root fs on vda9",
                                      {{"text", "VFS: Unable to mount root fs on vda9"}}));
  CHECK(main_code(named_device) == CauseCode::boot_root_missing);
}

TEST_CASE("verdict: a kernel without memory while it boots had too little of it", "[host][verdict]") {
  const auto finding = make_finding(ConsoleKind::panic, "Kernel panic - not syncing: System is deadlocked on memory",
                                    {{"text", "System is deadlocked on memory"}});
  Story boots;
  boots.start();
  boots.tell(500, finding);
  CHECK(main_code(boots) == CauseCode::boot_memory_too_small);
  CHECK(main_field(boots, "mib") == std::to_string(boots.state.spec.memory_mib));
  Story later;   // with services there, one of them may have taken it
  later.boot();
  later.report(1000, make_service("web", ServiceState::starting));
  later.tell(1500, finding);
  CHECK(main_code(later) == CauseCode::boot_panic);
}

TEST_CASE("verdict: the host's own lack of memory is not just a signal", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.exit(3000, ExitSignal{9, false}, "host-oom");
  CHECK(main_code(story) == CauseCode::vmm_host_oom);
}

TEST_CASE("verdict: a service that had to be killed while the VM was stopped is told, and is no failure of the VM", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.tell(3000, StopRequested{.kind = machine::StopKind::stop, .grace = std::chrono::seconds(10), .actor = "alice"});
  story.report(3500, make_service("web", ServiceState::stopped, make_cause(CauseCode::service_stop_timeout)));
  CHECK_FALSE(classify(story.state).main.has_value());
  CHECK(also_has(story, CauseCode::service_stop_timeout));
}

TEST_CASE("verdict: a stall names the stage and what it waits for, with the console's last lines", "[host][verdict]") {
  Story story;
  story.start();
  story.tell(200, make_finding(ConsoleKind::linux_version, "Linux version 6.12.0"));
  story.report(500, make_stage(Stage::rootfs, StageReport::Phase::begin, "disk vigil-root"));
  story.tell(5510, DeadlinePassed{"stage:rootfs"});
  CHECK(main_code(story) == CauseCode::boot_stage_stalled);
  CHECK(main_field(story, "stage") == "rootfs");
  CHECK(main_field(story, "waiting_for") == "disk vigil-root");
  const std::vector<std::string> tail{"[    1.2] last line"};
  CHECK(classify(story.state, tail).main->cause.evidence == tail);
}

TEST_CASE("verdict: a guest's own cause for a failed stage wins over the end that follows it", "[host][verdict]") {
  Story story;
  story.start();
  story.report(500, make_stage(Stage::rootfs, StageReport::Phase::failed, "",
                               make_cause(CauseCode::boot_root_missing, {{"device", "vigil-root"}, {"seen", "vda"}})));
  story.exit(600, ExitCode{0}, "guest-reset");
  CHECK(main_code(story) == CauseCode::boot_root_missing);
  CHECK(main_field(story, "device") == "vigil-root");
}

TEST_CASE("verdict: a service that keeps the VM from being ready is the cause, with its last output", "[host][verdict]") {
  Story story;
  story.boot();
  const auto cause = make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}, {"function", "parse"}});
  story.report(2000, make_crash("web-1", "web", cause));
  story.report(2001, make_service("web", ServiceState::backoff, cause));
  CHECK(main_code(story) == CauseCode::service_signalled);
  const auto main = classify(story.state).main;
  CHECK(main->service == ServiceName("web"));
  REQUIRE(main->cause.evidence.size() == 4);
  CHECK(main->cause.evidence[0] == "server (pid 42) ended with SIGSEGV");
  CHECK(main->cause.evidence[3] == "last words");
  CHECK(classify(story.state).summary.starts_with("booting: web: "));
}

TEST_CASE("verdict: the failed dependency matters more than its dependents, the essential more than the optional", "[host][verdict]") {
  Story story;
  story.boot();
  story.report(2000,
               make_service("app", ServiceState::failed, make_cause(CauseCode::service_dependency_failed, {{"dependency", "database"}})));
  story.report(2001, make_service("aside", ServiceState::failed, make_cause(CauseCode::service_missing_binary, {{"path", "/x"}}), false));
  story.report(2002, make_service("database", ServiceState::failed,
                                  make_cause(CauseCode::service_port_taken, {{"port", std::int64_t{5432}}, {"holder", "x"}})));
  CHECK(main_code(story) == CauseCode::service_port_taken);
  CHECK(classify(story.state).main->service == ServiceName("database"));
  CHECK(also_has(story, CauseCode::service_dependency_failed));
  CHECK(also_has(story, CauseCode::service_missing_binary));
}

TEST_CASE("verdict: what a VM got over is told, but is not its cause", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.report(3000, make_crash("web-1", "web",
                                make_cause(CauseCode::service_oom_killed,
                                           {{"limit", std::int64_t{1}}, {"peak", std::int64_t{2}}, {"victim", "x"}})));
  story.tell(3100, make_finding(ConsoleKind::hung_task, "INFO: task x:1 blocked", {{"task", "x"}}));
  CHECK_FALSE(classify(story.state).main.has_value());
  CHECK(also_has(story, CauseCode::service_oom_killed));
  CHECK(also_has(story, CauseCode::guest_hung_task));
}

TEST_CASE("verdict: a guest that ended by itself", "[host][verdict]") {
  const auto kind = GENERATE(ByeReport::Kind::poweroff, ByeReport::Kind::reboot);
  Story story;
  story.become_ready();
  story.report(3000, ByeReport{kind, "pid 312 (poweroff)", false});
  story.exit(3100, ExitCode{0}, "guest-shutdown");
  const auto verdict = classify(story.state);
  CHECK(verdict.state == RunState::stopped);
  CHECK(verdict.outcome == Outcome::clean);
  CHECK(main_code(story) == (kind == ByeReport::Kind::poweroff ? CauseCode::guest_poweroff_unasked : CauseCode::guest_reboot_unasked));
  CHECK(verdict.main->cause.evidence == std::vector<std::string>{"asked by pid 312 (poweroff)"});
}

TEST_CASE("verdict: a restart policy that gave up is told beside what every run died of", "[host][verdict]") {
  auto spec = make_spec();
  spec.restart = RestartPolicy::on_failure;
  spec.restart_limit = 2;
  Story story(spec);
  VmmExited exited;
  exited.exit = ExitSignal{9, false};
  for (std::uint32_t run = 1; run <= 2; ++run) {
    CHECK_FALSE(also_has(story, CauseCode::policy_restarts_exhausted));
    story.run = RunNumber(run);
    story.start(Accelerator::kvm, run == 1 ? "alice" : policy_actor);
    story.tell(1000, exited);
  }
  CHECK(main_code(story) == CauseCode::vmm_killed);
  CHECK(also_has(story, CauseCode::policy_restarts_exhausted));
}

TEST_CASE("verdict: a stop that needed force says so; a kill that was asked for is no fault", "[host][verdict]") {
  Story forced;
  forced.become_ready();
  forced.tell(3000, StopRequested{StopKind::stop, std::chrono::seconds(5), "alice"});
  forced.tell(8000, DeadlinePassed{"stop"});
  forced.exit(8010, ExitSignal{9, false});
  CHECK(main_code(forced) == CauseCode::vmm_killed);
  CHECK(classify(forced.state).outcome == Outcome::destroyed);
  Story killed;
  killed.become_ready();
  killed.tell(3000, StopRequested{StopKind::kill, std::chrono::seconds(5), "alice"});
  killed.exit(3010, ExitSignal{9, false});
  CHECK_FALSE(classify(killed.state).main.has_value());
  CHECK(classify(killed.state).summary == "stopped: killed as asked by alice");
}

TEST_CASE("verdict: a guest that does not answer is frozen only with two signals", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.tell(3000, LinkLost{"end of stream", {}});
  story.tell(13'000, DeadlinePassed{"link"});
  CHECK(main_code(story) == CauseCode::link_lost);
  story.tell(103'000, DeadlinePassed{"console"});
  CHECK(main_code(story) == CauseCode::guest_frozen);
}

TEST_CASE("verdict: the vsock device that died is named while the VM lives", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.tell(3000, DeviceExited{"vhost-device-vsock", ExitSignal{9, false}});
  CHECK(main_code(story) == CauseCode::vmm_device_died);
  CHECK(main_field(story, "device") == "vhost-device-vsock");
}

TEST_CASE("verdict: a VMM whose process is stopped is named until it goes on", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.tell(3000, VmmHalted{true});
  CHECK(main_code(story) == CauseCode::vmm_stopped);
  story.tell(4000, VmmHalted{false});
  CHECK_FALSE(classify(story.state).main.has_value());
}

TEST_CASE("verdict: a console that stays silent while the agent speaks is told", "[host][verdict]") {
  Story mute;
  mute.start();
  mute.report(900, make_stage(Stage::agent, StageReport::Phase::done));
  CHECK(also_has(mute, CauseCode::boot_console_disabled));
  mute.tell(950, make_finding(ConsoleKind::linux_version, "Linux version 6.12.0"));
  CHECK_FALSE(also_has(mute, CauseCode::boot_console_disabled));
}

TEST_CASE("verdict: a VMM that was told to end by a signal, by its own words only", "[host][verdict]") {
  Story story;
  story.become_ready();
  VmmExited exited;
  exited.exit = ExitCode{0};
  exited.reason = "host-signal";
  exited.last_words = {"2026-11-26T15:32:10Z qemu-system-x86_64: terminating on signal 15 from pid 1882 (/usr/bin/kill)"};
  story.tell(3000, exited);
  CHECK(main_code(story) == CauseCode::vmm_killed);
  CHECK(main_field(story, "signal") == "SIGTERM");
  Story wordless;
  wordless.become_ready();
  exited.last_words.clear();
  wordless.tell(3000, exited);
  CHECK(main_code(wordless) == CauseCode::unknown);
  CHECK(main_field(wordless, "seen").find("host-signal") != std::string::npos);
}

TEST_CASE("verdict: a stage that the guest calls failed has failed, though its link was up before", "[host][verdict]") {
  const LinkUp up{BootId("00000000-0000-4000-8000-000000000001"), 0, "initrd", "", "", "", "", 1};
  Story story;
  story.start();
  story.tell(900, up);
  story.report(950, make_stage(Stage::initrd, StageReport::Phase::failed, "",
                               make_cause(CauseCode::boot_module_missing, {{"module", "overlay.ko"}})));
  CHECK(main_code(story) == CauseCode::boot_module_missing);
  CHECK(story.derived() == RunState::failed);
  story.tell(1200, up);
  CHECK(main_code(story) == CauseCode::boot_module_missing);
  Story done;
  done.start();
  done.report(900, make_stage(Stage::initrd, StageReport::Phase::done));
  done.report(950, make_stage(Stage::initrd, StageReport::Phase::failed, "",
                              make_cause(CauseCode::boot_module_missing, {{"module", "overlay.ko"}})));
  CHECK_FALSE(classify(done.state).main.has_value());
}

TEST_CASE("verdict: an agent that said that it crashed did not just reboot", "[host][verdict]") {
  Story story;
  story.become_ready();
  auto crash = make_crash("agent-1", "", make_cause(CauseCode::guest_agent_crashed));
  story.report(3000, crash);
  story.exit(3100, ExitCode{0}, "guest-reset");
  CHECK(main_code(story) == CauseCode::guest_agent_crashed);
}

TEST_CASE("verdict: an agent that was refused for its version is why the boot stands still, a stranger beside a good one is not",
          "[host][verdict]") {
  const LinkLost refused{"unfit", make_cause(CauseCode::boot_agent_skew, {{"host", "1"}, {"guest", "7"}})};
  Story story;
  story.start();
  story.tell(900, refused);
  CHECK(main_code(story) == CauseCode::boot_agent_skew);
  Story good;
  good.become_ready();
  good.tell(2100, LinkUp{BootId("00000000-0000-4000-8000-000000000001"), 0, "init", "", "", "", "", 1});
  good.tell(2200, refused);
  CHECK_FALSE(classify(good.state).main.has_value());
  CHECK(also_has(good, CauseCode::boot_agent_skew));
}

TEST_CASE("verdict: the kernel's further words about the same thing are evidence of one cause", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.tell(3000, make_finding(ConsoleKind::filesystem_error, "EXT4-fs error (device vdb): bad block", {{"device", "vdb"}}));
  story.tell(3001, make_finding(ConsoleKind::filesystem_error, "EXT4-fs (vdb): Remounting filesystem read-only", {{"device", "vdb"}}));
  const auto also = classify(story.state).also;
  REQUIRE(also.size() == 1);
  CHECK(also[0].cause.evidence ==
        std::vector<std::string>{"EXT4-fs error (device vdb): bad block", "EXT4-fs (vdb): Remounting filesystem read-only"});
}

TEST_CASE("announcement: made once a change, and final with the end of a run", "[host][verdict]") {
  Story story;
  story.become_ready();
  const auto ready = verdict::announcement(story.state);
  REQUIRE(ready.has_value());
  CHECK(ready->state == RunState::ready);
  story.tell(2100, *ready);
  CHECK_FALSE(verdict::announcement(story.state).has_value());
  story.exit(3000, ExitSignal{9, false});
  const auto crashed = verdict::announcement(story.state);
  REQUIRE(crashed.has_value());
  CHECK(crashed->outcome == Outcome::crashed);
  story.tell(3001, *crashed);
  CHECK_FALSE(verdict::announcement(story.state).has_value());
  // What is told later is recorded, but the verdict stands.
  story.tell(3002, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: late"));
  CHECK(main_code(story) == CauseCode::vmm_killed);
  CHECK(main_code(story) == classify(replay(story.events)).main->cause.code);
}

TEST_CASE("announcement: more evidence of the same cause is no news", "[host][verdict]") {
  Story story;
  story.become_ready();
  auto finding = make_finding(ConsoleKind::panic, "Kernel panic - not syncing: x", {{"text", "x"}});
  story.tell(3000, finding);
  story.tell(3000, *verdict::announcement(story.state));
  finding.lines = {"Call Trace:"};
  story.tell(3001, finding);
  CHECK_FALSE(verdict::announcement(story.state).has_value());
}

TEST_CASE("verdict: a crash of an earlier boot, delivered late, says nothing of this run", "[host][verdict]") {
  Story story;
  story.become_ready();
  auto late = make_crash("agent-1", "", make_cause(CauseCode::guest_agent_crashed));
  late.origin = std::pair(BootId("ffffffff-0000-4000-8000-000000000001"), Seq{9});
  story.report(2500, late);
  CHECK_FALSE(classify(story.state).main.has_value());
  CHECK_FALSE(also_has(story, CauseCode::guest_agent_crashed));
  story.exit(3000, ExitCode{0}, "guest-reset");
  CHECK(main_code(story) == CauseCode::guest_reboot_unasked);
}

}  // namespace vigil::machine

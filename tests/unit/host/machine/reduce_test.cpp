#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

TEST_CASE("reduce: a VM boots stage by stage and is ready only when its services are", "[host][machine]") {
  Story story;
  CHECK(story.derived() == RunState::stopped);
  CHECK(power(story.state) == Power::stopped);
  story.boot();
  CHECK(story.derived() == RunState::booting);
  CHECK(power(story.state) == Power::running);
  story.report(1100, make_service("web", ServiceState::starting));
  story.report(1200, make_stage(Stage::ready, StageReport::Phase::done));
  CHECK(story.derived() == RunState::booting);   // the guest's word alone is no evidence while a service says otherwise
  story.report(1500, make_service("web", ServiceState::ready));
  CHECK(story.derived() == RunState::ready);
  CHECK(ready_after_ms(story.state) == 1500);
}

TEST_CASE("reduce: ready services are not ready VM before the guest has named them all", "[host][machine]") {
  Story story;
  story.boot();
  story.report(1100, make_service("web", ServiceState::ready));
  CHECK(story.derived() == RunState::booting);
  CHECK_FALSE(story.current().ready_mono_us.has_value());
}

TEST_CASE("reduce: ready known from the console alone is ready, and marked", "[host][machine]") {
  Story story;
  story.start();
  story.report(1000, make_service("web", ServiceState::ready), Channel::console);
  story.report(1100, make_stage(Stage::ready, StageReport::Phase::done), Channel::console);
  CHECK(story.derived() == RunState::ready);
  CHECK(story.current().ready_unauthenticated);
}

TEST_CASE("derive: the table of the contracts", "[host][machine]") {
  Story story;
  story.become_ready();
  REQUIRE(story.derived() == RunState::ready);
  SECTION("an essential service that is not ready any more makes it unready") {
    story.report(3000, make_service("web", ServiceState::backoff, make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}})));
    CHECK(story.derived() == RunState::unready);
    story.report(3100, make_service("web", ServiceState::ready));
    CHECK(story.derived() == RunState::ready);
  }
  SECTION("an essential service that gave up makes it failed") {
    story.report(3000, make_service("web", ServiceState::failed, make_cause(CauseCode::service_crash_loop)));
    CHECK(story.derived() == RunState::failed);
    CHECK(power(story.state) == Power::running);
  }
  SECTION("an optional service that gave up makes it degraded") {
    story.report(3000, make_service("extra", ServiceState::failed, make_cause(CauseCode::service_crash_loop), false));
    CHECK(story.derived() == RunState::degraded);
  }
  SECTION("an optional service that missed its deadline makes it degraded, one that still starts does not") {
    story.report(3000, make_service("extra", ServiceState::starting, {}, false));
    CHECK(story.derived() == RunState::ready);
    story.report(3100,
                 make_service("extra", ServiceState::starting, make_cause(CauseCode::service_ready_timeout, {{"probe", "tcp:1"}}), false));
    CHECK(story.derived() == RunState::degraded);
  }
  SECTION("a VMM that ends without bye is crashed") {
    story.exit(3000, ExitSignal{9, false});
    CHECK(story.derived() == RunState::crashed);
    CHECK(outcome(story.state) == Outcome::crashed);
  }
  SECTION("a panic is crashed, while the VMM still runs") {
    story.tell(3000, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: sysrq triggered crash"));
    CHECK(story.derived() == RunState::crashed);
    CHECK_FALSE(outcome(story.state).has_value());
  }
  SECTION("an end after bye is stopped and clean") {
    story.report(3000, ByeReport{ByeReport::Kind::poweroff, "pid 312 (poweroff)", false});
    CHECK(power(story.state) == Power::stopping);
    story.exit(3100, ExitCode{0}, "guest-shutdown");
    CHECK(story.derived() == RunState::stopped);
    CHECK(outcome(story.state) == Outcome::clean);
  }
}

TEST_CASE("reduce: a start that fails ends the run as failed", "[host][machine]") {
  Story story;
  story.tell(0, StartRequested{"alice", Accelerator::kvm});
  CHECK(power(story.state) == Power::starting);
  const auto effects = story.tell(50, StartFailed{make_cause(CauseCode::boot_kernel_invalid, {{"path", "/k"}, {"reason", "no ELF"}})});
  CHECK(find_effect<ArchiveRun>(effects) != nullptr);
  CHECK(story.derived() == RunState::failed);
  CHECK(power(story.state) == Power::stopped);
  CHECK(outcome(story.state) == Outcome::failed);
  CHECK(story.state.deadlines.empty());
}

TEST_CASE("deadlines: each stage arms the next one's, ten times longer under TCG", "[host][machine]") {
  const bool is_tcg = GENERATE(false, true);
  const std::uint64_t scale = is_tcg ? 10 : 1;
  Story story;
  const auto asked = story.tell(0, StartRequested{"alice", is_tcg ? Accelerator::tcg : Accelerator::kvm});
  REQUIRE(find_armed(asked, "stage:vmm") != nullptr);
  CHECK(find_armed(asked, "stage:vmm")->due_mono_us == epoch_mono_us + 2'000'000 * scale);
  VmmStarted started;
  started.accelerator = is_tcg ? Accelerator::tcg : Accelerator::kvm;
  const auto up = story.tell(100, started);
  REQUIRE(find_armed(up, "stage:kernel") != nullptr);
  CHECK(find_armed(up, "stage:kernel")->due_mono_us == epoch_mono_us + 100'000 + 3'000'000 * scale);
  CHECK_FALSE(story.state.deadlines.contains("stage:vmm"));
}

TEST_CASE("deadlines: the spec overrides a stage's", "[host][machine]") {
  auto spec = make_spec();
  spec.deadlines_ms[Stage::kernel] = std::chrono::milliseconds(1234);
  Story story(spec);
  story.start(Accelerator::tcg);
  CHECK(story.state.deadlines.at("stage:kernel") == epoch_mono_us + 100'000 + 1'234'000);
}

TEST_CASE("deadlines: a silent kernel is a failure only with the next stage's deadline", "[host][machine]") {
  Story story;
  story.start();
  const auto effects = story.tell(3100, DeadlinePassed{"stage:kernel"});
  CHECK(story.derived() == RunState::booting);
  REQUIRE(find_armed(effects, "stage:initrd") != nullptr);
  story.tell(8100, DeadlinePassed{"stage:initrd"});
  CHECK(story.derived() == RunState::failed);
  REQUIRE(story.current().missed.has_value());
  CHECK(story.current().missed->stage == Stage::kernel);
}

TEST_CASE("deadlines: a stall names the stage and what it waits for; late evidence takes the failure back", "[host][machine]") {
  Story story;
  story.start();
  story.tell(200, make_finding(ConsoleKind::linux_version, "Linux version 6.12.0"));
  story.report(500, make_stage(Stage::initrd, StageReport::Phase::done));
  story.report(510, make_stage(Stage::rootfs, StageReport::Phase::begin, "disk vigil-root"));
  story.tell(5510, DeadlinePassed{"stage:rootfs"});
  REQUIRE(story.derived() == RunState::failed);
  CHECK(story.current().missed->stage == Stage::rootfs);
  CHECK(story.current().missed->waiting_for == "disk vigil-root");
  story.report(6000, make_stage(Stage::rootfs, StageReport::Phase::done));
  CHECK(story.derived() == RunState::booting);
  CHECK(story.state.deadlines.contains("stage:agent"));
}

TEST_CASE("deadlines: a timer that fires after its deadline was moved or taken away does nothing", "[host][machine]") {
  Story story;
  story.start();
  const auto before = story.state.deadlines;
  const auto effects = story.tell(1000, DeadlinePassed{"stage:kernel"});   // two seconds early
  CHECK(find_armed(effects, "stage:kernel") != nullptr);
  CHECK(story.state.deadlines == before);
  story.tell(1001, DeadlinePassed{"stage:rootfs"});
  CHECK(story.state.stray_events == 1);
  CHECK(story.derived() == RunState::booting);
}

TEST_CASE("deadlines: services fail by the host's deadline only when the agent is silent", "[host][machine]") {
  Story story;
  story.boot();
  story.report(1100, make_service("web", ServiceState::starting));
  const auto due = story.state.deadlines.at("stage:services");
  CHECK(due == epoch_mono_us + 1'100'000 + 60'000'000);
  story.tell(40'000, ClockSynced{0, 100});
  CHECK(story.state.deadlines.at("stage:services") == epoch_mono_us + 40'000'000 + 60'000'000);
  story.tell(100'000, DeadlinePassed{"stage:services"});
  CHECK(story.derived() == RunState::failed);
  CHECK(story.current().missed->waiting_for == "web");
  story.report(101'000, make_service("web", ServiceState::starting));
  CHECK(story.derived() == RunState::booting);
}

TEST_CASE("a failed stage is a failure with the guest's own cause", "[host][machine]") {
  Story story;
  story.start();
  const auto cause = make_cause(CauseCode::boot_root_missing, {{"device", "vigil-root"}, {"seen", "vda"}});
  story.report(500, make_stage(Stage::rootfs, StageReport::Phase::failed, "", cause));
  CHECK(story.derived() == RunState::failed);
  CHECK(story.state.deadlines.empty());
  CHECK(story.current().stages[static_cast<std::size_t>(Stage::rootfs)].cause == cause);
}

TEST_CASE("a service that failed the boot and is started again by hand makes the VM ready after all", "[host][machine]") {
  Story story;
  story.boot();
  const auto cause = make_cause(CauseCode::service_port_taken, {{"port", std::int64_t{80}}, {"holder", "nginx"}});
  story.report(2000, make_service("web", ServiceState::failed, cause));
  story.report(2001, make_stage(Stage::services, StageReport::Phase::failed, "web", cause));
  REQUIRE(story.derived() == RunState::failed);
  story.report(9000, make_service("web", ServiceState::ready));
  story.report(9001, make_stage(Stage::services, StageReport::Phase::done));
  story.report(9002, make_stage(Stage::ready, StageReport::Phase::done));
  CHECK(story.derived() == RunState::ready);
  // Told again later, the stage is over: the service's own state is what counts.
  story.report(20'000, make_stage(Stage::services, StageReport::Phase::failed, "web", cause));
  CHECK(story.derived() == RunState::ready);
}

TEST_CASE("stop: asked of the guest first, killed after the grace, destroyed in the end", "[host][machine]") {
  Story story;
  story.become_ready();
  const auto asked = story.tell(5000, StopRequested{StopKind::stop, std::chrono::seconds(3), "alice"});
  REQUIRE(find_effect<RequestGuestShutdown>(asked) != nullptr);
  CHECK(find_effect<RequestGuestShutdown>(asked)->kind == ByeReport::Kind::poweroff);
  REQUIRE(find_armed(asked, "stop") != nullptr);
  CHECK(power(story.state) == Power::stopping);
  const auto overdue = story.tell(8000, DeadlinePassed{"stop"});
  REQUIRE(find_effect<KillVmm>(overdue) != nullptr);
  story.exit(8010, ExitSignal{9, false});
  CHECK(story.derived() == RunState::stopped);
  CHECK(outcome(story.state) == Outcome::destroyed);
}

TEST_CASE("stop: a request that found no link is made again with the next link", "[host][machine]") {
  Story story;
  story.start();
  story.tell(200, StopRequested{StopKind::stop, std::chrono::seconds(30), "alice"});
  const auto effects = story.tell(
      700, LinkUp{.boot = boot_id, .epoch = 0, .phase = "initrd", .agent_version = {}, .build_id = {}, .image_digest = {}, .kernel = {}});
  CHECK(find_effect<RequestGuestShutdown>(effects) != nullptr);
  CHECK_FALSE(story.state.deadlines.contains("stage:rootfs"));   // nobody waits for the boot any more
}

TEST_CASE("stop: killing is at once, and a VMM killed by somebody else before the grace is over is a crash", "[host][machine]") {
  Story killed;
  killed.become_ready();
  const auto effects = killed.tell(5000, StopRequested{StopKind::kill, std::chrono::seconds(1), "alice"});
  REQUIRE(find_effect<KillVmm>(effects) != nullptr);
  killed.exit(5010, ExitSignal{9, false});
  CHECK(killed.derived() == RunState::stopped);
  CHECK(outcome(killed.state) == Outcome::destroyed);

  Story shot;
  shot.become_ready();
  shot.tell(5000, StopRequested{StopKind::stop, std::chrono::seconds(10), "alice"});
  shot.exit(5010, ExitSignal{9, false});
  CHECK(shot.derived() == RunState::crashed);
}

TEST_CASE("stop: services that fail while everything stops do not fail the VM", "[host][machine]") {
  Story story;
  story.become_ready();
  story.tell(5000, StopRequested{StopKind::stop, std::chrono::seconds(10), "alice"});
  story.report(5100, make_service("web", ServiceState::failed, make_cause(CauseCode::service_stop_timeout)));
  story.report(5200, ByeReport{ByeReport::Kind::poweroff, "host", true});
  story.exit(5300, ExitCode{0}, "guest-shutdown");
  CHECK(story.derived() == RunState::stopped);
  CHECK(outcome(story.state) == Outcome::clean);
}

TEST_CASE("stop: a shutdown as asked is clean even when the bye was lost", "[host][machine]") {
  Story story;
  story.become_ready();
  story.tell(5000, StopRequested{StopKind::stop, std::chrono::seconds(10), "alice"});
  story.exit(5300, ExitCode{0}, "guest-shutdown");
  CHECK(story.derived() == RunState::stopped);
  CHECK(outcome(story.state) == Outcome::clean);
}

TEST_CASE("a VMM that does not end after bye is killed, and the run stays clean", "[host][machine]") {
  Story story;
  story.become_ready();
  story.report(3000, ByeReport{ByeReport::Kind::poweroff, "pid 1", false});
  const auto effects = story.tell(18'000, DeadlinePassed{"exit"});
  CHECK(find_effect<KillVmm>(effects) != nullptr);
  story.exit(18'010, ExitSignal{9, false});
  CHECK(outcome(story.state) == Outcome::clean);
}

TEST_CASE("a panic is taken back when the guest speaks on over the link", "[host][machine]") {
  Story story;
  story.become_ready();
  story.tell(3000, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: nonsense"));
  story.report(3500, make_service("web", ServiceState::ready));
  CHECK(story.derived() == RunState::crashed);   // it may have been under way
  story.report(6000, make_service("web", ServiceState::ready));
  CHECK(story.derived() == RunState::ready);
}

TEST_CASE("a second telling of a panic adds its lines and not a second panic", "[host][machine]") {
  Story story;
  story.become_ready();
  auto finding = make_finding(ConsoleKind::panic, "Kernel panic - not syncing: x");
  story.tell(3000, finding);
  finding.lines = {"CPU: 0 PID: 1", "Call Trace:"};
  story.tell(3001, finding);
  REQUIRE(story.current().findings.size() == 1);
  CHECK(story.current().findings[0].finding.lines.size() == 2);
}

TEST_CASE("reports of one service by two channels: a digest, which has no room for probes, does not take them away", "[host][machine]") {
  Story story;
  story.boot();
  auto begun = make_service("screen", ServiceState::starting);
  begun.probes = {{"rfb:5901", false, std::nullopt}};
  story.report(1100, begun);
  story.report(2000, make_service("screen", ServiceState::ready), Channel::console);
  CHECK(story.current().services.at(ServiceName("screen")).report.probes == std::vector<ProbeResult>{{"rfb:5901", true, std::nullopt}});
  story.report(2100, make_service("screen", ServiceState::ready));
  CHECK(story.current().services.at(ServiceName("screen")).report.probes.empty());   // the whole report is as it is
}

TEST_CASE("reports of one service by two channels: the older one never undoes the newer one", "[host][machine]") {
  Story story;
  story.boot();
  auto digest = make_report(12, make_service("web", ServiceState::ready), Channel::console);
  digest.report.boot = BootId(boot_id.value().substr(0, 8));   // all that a console record carries
  story.tell(2000, digest);
  story.tell(2100, make_report(11, make_service("web", ServiceState::starting)));
  CHECK(story.current().services.at(ServiceName("web")).report.state == ServiceState::ready);
  story.tell(2200, make_report(12, make_service("web", ServiceState::ready)));
  CHECK_FALSE(story.current().services.at(ServiceName("web")).partial);
  CHECK(story.current().services.at(ServiceName("web")).first_ready_mono_us == epoch_mono_us + 2'000'000);
}

TEST_CASE("a crash known from the console is completed by the full report, its trace comes later", "[host][machine]") {
  Story story;
  story.boot();
  CrashReport crash;
  crash.crash = "web-1";
  crash.service = "web";
  crash.cause = make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}});
  story.tell(2000, make_report(11, crash, Channel::console));
  crash.stderr_tail = "last words";
  story.tell(2100, make_report(11, crash));
  CrashTrace trace;
  trace.crash = "web-1";
  trace.frames.resize(3);
  story.report(2200, trace);
  REQUIRE(story.current().crashes.size() == 1);
  CHECK(story.current().crashes[0].report.stderr_tail == "last words");
  CHECK(story.current().crashes[0].at_unix_us == epoch_unix_us + 2'000'000);
  REQUIRE(story.current().crashes[0].trace.has_value());
  CHECK(story.current().crashes[0].trace->frames.size() == 3);
}

TEST_CASE("unresponsive needs two signals: a link that stays away and a silent console", "[host][machine]") {
  Story story;
  story.become_ready();
  story.tell(3000, LinkLost{"end of stream", {}});
  CHECK(liveness(story.state) == Liveness::ok);
  story.tell(13'000, DeadlinePassed{"link"});
  CHECK(liveness(story.state) == Liveness::suspect);
  story.tell(103'000, DeadlinePassed{"console"});
  CHECK(liveness(story.state) == Liveness::unresponsive);
  CHECK(story.derived() == RunState::ready);      // marked, not judged
  story.report(104'000, make_service("web", ServiceState::ready), Channel::console);
  CHECK(liveness(story.state) == Liveness::suspect);
  story.tell(105'000,
             LinkUp{.boot = boot_id, .epoch = 0, .phase = "init", .agent_version = {}, .build_id = {}, .image_digest = {}, .kernel = {}});
  CHECK(liveness(story.state) == Liveness::ok);
}

TEST_CASE("an agent that became another build over the same link is that build", "[host][machine]") {
  Story story;
  story.become_ready();
  const auto build = [&] { return story.current().link->build_id; };
  for (const char* const nothing : {R"({"outcome":"went_back","from_build":"aa","to_build":"bb"})", R"({"outcome":"upgraded"})", R"({"outcome":7,"to_build":[]})", "7", ""})
    story.report(3000, OtherReport{"agent_upgrade", nothing});
  story.report(3000, OtherReport{"another", R"({"outcome":"upgraded","to_build":"bb"})"});
  story.report(3000, OtherReport{"agent_upgrade", R"({"outcome":"upgraded","to_build":")" + std::string(500, 'b') + "\"}"});
  CHECK(build().empty());
  story.report(4000, OtherReport{"agent_upgrade", R"({"outcome":"upgraded","from_build":"aa","to_build":"bb"})"});
  CHECK(build() == "bb");
  CHECK(replay(story.events).run->link->build_id == "bb");
}

TEST_CASE("a lost shim ends the run as unknown, never as a guess", "[host][machine]") {
  Story story;
  story.become_ready();
  const auto effects = story.tell(3000, ShimLost{"its socket is gone and there is no exit.json"});
  CHECK(find_effect<KillVmm>(effects) != nullptr);
  CHECK(outcome(story.state) == Outcome::unknown);
}

TEST_CASE("pending effects: a restarted daemon arms the deadlines and asks for the stop again", "[host][machine]") {
  Story story;
  story.become_ready();
  story.tell(5000, StopRequested{StopKind::stop, std::chrono::seconds(3), "alice"});
  const auto again = pending_effects(replay(story.events));
  CHECK(find_effect<RequestGuestShutdown>(again) != nullptr);
  REQUIRE(find_armed(again, "stop") != nullptr);
  CHECK(find_armed(again, "stop")->due_mono_us == epoch_mono_us + 8'000'000);
}

}  // namespace vigil::machine

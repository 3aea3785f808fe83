#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

TEST_CASE("runs: a second one opens only after the first has ended, and events of another run are strays", "[host][machine]") {
  Story story;
  story.become_ready();
  CHECK_FALSE(next_run(story.state).has_value());
  story.run = RunNumber(2);
  story.tell(4000, StartRequested{"bob", {}});
  CHECK(story.current().number == RunNumber(1));
  story.run = RunNumber(1);
  story.exit(5000, ExitSignal{9, false});
  REQUIRE(next_run(story.state).has_value());
  CHECK(*next_run(story.state) == RunNumber(2));
  story.run = RunNumber(2);
  story.tell(6000, StartRequested{"bob", {}});
  CHECK(story.current().number == RunNumber(2));
  CHECK(story.derived() == RunState::booting);
  const auto strays = story.state.stray_events;
  story.run = RunNumber(1);
  story.exit(6100, ExitCode{0});
  CHECK(story.state.stray_events == strays + 1);
  CHECK(power(story.state) == Power::starting);
  CHECK(replay_run(story.events, RunNumber(1))->run->end.has_value());
  CHECK_FALSE(replay_run(story.events, RunNumber(3)).has_value());
}

TEST_CASE("reboot: asked by the host or by the guest a new run follows; a loop of them does not go on for ever", "[host][machine]") {
  Story asked;
  asked.become_ready();
  asked.tell(3000, StopRequested{StopKind::reboot, std::chrono::seconds(10), "alice"});
  asked.report(3100, ByeReport{ByeReport::Kind::reboot, "host", true});
  VmmExited exited;
  exited.exit = ExitCode{0};
  CHECK(find_effect<StartNextRun>(asked.tell(3200, exited)) != nullptr);

  Story loop;
  bool goes_on = true;
  std::uint32_t runs = 0;
  while (goes_on && runs < 20) {
    ++runs;
    loop.run = RunNumber(runs);
    loop.start(Accelerator::kvm, runs == 1 ? "alice" : guest_reboot_actor);
    loop.report(500, ByeReport{ByeReport::Kind::reboot, "pid 1", false});
    goes_on = find_effect<StartNextRun>(loop.tell(600, exited)) != nullptr;
  }
  CHECK(runs == max_unready_reboots);
}

TEST_CASE("restart policy: on-failure restarts a crash after a back-off, not a clean end, and a stop takes it back", "[host][machine]") {
  auto spec = make_spec();
  spec.restart = RestartPolicy::on_failure;
  Story story(spec);
  story.become_ready();
  VmmExited exited;
  exited.exit = ExitSignal{11, true};
  const auto effects = story.tell(3000, exited);
  REQUIRE(find_effect<StartNextRun>(effects) != nullptr);
  CHECK(find_effect<StartNextRun>(effects)->after == std::chrono::seconds(1));
  CHECK(find_effect<StartNextRun>(pending_effects(story.state)) != nullptr);
  story.tell(3100, StopRequested{StopKind::stop, std::chrono::seconds(1), "alice"});
  CHECK(find_effect<StartNextRun>(pending_effects(story.state)) == nullptr);

  Story clean(spec);
  clean.become_ready();
  clean.report(3000, ByeReport{ByeReport::Kind::poweroff, "pid 1", false});
  exited.exit = ExitCode{0};
  CHECK(find_effect<StartNextRun>(clean.tell(3100, exited)) == nullptr);
}

TEST_CASE("restart policy: a VM that never becomes ready is tried ever less often, and then no more, which is said once",
          "[host][machine]") {
  auto spec = make_spec();
  spec.restart = RestartPolicy::always;
  Story story(spec);
  VmmExited exited;
  exited.exit = ExitCode{1};
  std::chrono::milliseconds waited{0}, longest{0};
  std::uint32_t tries = 0;
  std::uint64_t at_ms = 0;
  for (std::uint32_t run = 1; run <= 100; ++run) {
    story.run = RunNumber(run);
    story.tell(at_ms += 100, StartRequested{run == 1 ? "alice" : policy_actor, Accelerator::kvm});
    const auto effects = story.tell(at_ms += 1000, exited);
    ++tries;
    const auto* next = find_effect<StartNextRun>(effects);
    if (next == nullptr) {
      REQUIRE(find_effect<EndRestarts>(effects) != nullptr);
      CHECK(find_effect<EndRestarts>(effects)->count == spec.restart_limit);
      CHECK(find_effect<EndRestarts>(effects)->first_run == RunNumber(1));
      break;
    }
    CHECK(find_effect<EndRestarts>(effects) == nullptr);
    CHECK(next->after >= longest);
    longest = next->after;
    waited += next->after;
  }
  CHECK(tries == spec.restart_limit);
  CHECK(longest == std::chrono::seconds(60));
  CHECK(waited < std::chrono::minutes(10));
  CHECK(find_effect<EndRestarts>(pending_effects(story.state)) != nullptr);   // a daemon that ended before it could say it says it
  story.tell(at_ms += 10, RestartsEnded{tries, RunNumber(1)});
  CHECK(find_effect<EndRestarts>(pending_effects(story.state)) == nullptr);
  CHECK(replay(story.events) == story.state);

  story.run = RunNumber(tries + 1);                                            // somebody tries it by hand: from the beginning
  story.tell(at_ms += 100, StartRequested{"alice", Accelerator::kvm});
  CHECK_FALSE(story.state.restarts_ended.has_value());
  const auto effects = story.tell(at_ms += 1000, exited);
  REQUIRE(find_effect<StartNextRun>(effects) != nullptr);
  CHECK(find_effect<StartNextRun>(effects)->after == std::chrono::seconds(1));
}

TEST_CASE("restart policy: a VM that is ready and crashes at once, again and again, is tried ever less often and given up; one that stood for a minute is not",
          "[host][machine]") {
  auto spec = make_spec();
  spec.restart = RestartPolicy::on_failure;
  VmmExited exited;
  exited.exit = ExitSignal{11, true};
  Story story(spec);
  std::chrono::milliseconds longest{0};
  std::uint32_t runs = 0;
  std::uint64_t at_ms = 0;
  const auto live = [&](std::uint64_t ready_for_ms) {
    story.run = RunNumber(++runs);
    story.tell(at_ms += 100, StartRequested{runs == 1 ? "alice" : policy_actor, Accelerator::kvm});
    story.state.run->ready_mono_us = (at_ms += 1000) * 1000;
    return story.tell(at_ms += ready_for_ms, exited);
  };
  auto effects = live(500);
  while (const auto* next = find_effect<StartNextRun>(effects)) {
    CHECK(next->after >= longest);
    longest = next->after;
    REQUIRE(runs < 100);
    effects = live(500);
  }
  CHECK(runs == spec.restart_limit);
  CHECK(longest == std::chrono::seconds(60));
  REQUIRE(find_effect<EndRestarts>(effects) != nullptr);
  CHECK(find_effect<EndRestarts>(effects)->first_run == RunNumber(1));

  Story steady(spec);
  std::swap(story, steady);
  runs = 0;
  for (int life = 0; life < 30; ++life) {
    effects = live(life % 2 == 0 ? 500 : 61'000);   // each second one stands
    REQUIRE(find_effect<StartNextRun>(effects) != nullptr);
    CHECK(find_effect<StartNextRun>(effects)->after == std::chrono::seconds(1));
  }
}

}  // namespace vigil::machine

#include "tests/unit/host/machine/story.hpp"

#include "host/machine/timeline.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

TEST_CASE("timeline: stages carry the times of both sides, implied ones none", "[host][machine]") {
  Story story;
  story.start();
  story.report(600, make_stage(Stage::initrd, StageReport::Phase::done, "agent 0.1"));
  const auto stages = timeline(story.current());
  REQUIRE(stages.size() == 7);
  CHECK(stages[0].progress == StageProgress::done);
  CHECK(stages[0].since_start_ms == 100);
  CHECK(stages[1].progress == StageProgress::done);   // the kernel never printed, but the agent speaks
  CHECK_FALSE(stages[1].host_unix_us.has_value());
  CHECK(stages[2].guest_us == 600'000);
  CHECK(stages[2].since_start_ms == 600);
  CHECK(stages[2].took_ms == 500);
  CHECK(stages[3].progress == StageProgress::active);
  CHECK(stages[4].progress == StageProgress::pending);
}

TEST_CASE("timeline: services show when they became ready", "[host][machine]") {
  Story story;
  story.become_ready();
  const auto stages = timeline(story.current());
  CHECK(stages[5].services.size() == 2);
  CHECK(stages[5].services[1].name == ServiceName("web"));
  CHECK(stages[5].services[1].ready_after_ms == 2000);
  CHECK(stages[6].progress == StageProgress::done);
  CHECK(stages[6].since_start_ms == 2000);
}

}  // namespace vigil::machine

#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

TEST_CASE("crash record: what an earlier boot has kept of its crashes stands beside this boot's of the same id", "[host][machine]") {
  Story story;
  story.become_ready();
  CrashReport crash;
  crash.crash = "web-1";
  crash.service = "web";
  crash.cause = make_cause(CauseCode::service_exited, {{"code", std::int64_t{1}}});
  auto earlier = crash;
  earlier.origin = std::pair(BootId("ffffffff-0000-4000-8000-000000000001"), Seq{9});
  story.report(2100, crash);
  story.report(2200, earlier);
  CrashTrace trace;
  trace.crash = "web-1";
  story.report(2300, trace);
  const auto& crashes = story.current().crashes;
  REQUIRE(crashes.size() == 2);
  CHECK(crashes[0].report == crash);
  CHECK(crashes[0].trace.has_value());
  CHECK(crashes[1].report == earlier);
  CHECK_FALSE(crashes[1].trace.has_value());   // it was of this boot's
}

}  // namespace vigil::machine

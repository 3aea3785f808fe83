// The end of a run that a policy asked for.
#include "host/verdict/verdict.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

namespace {

CauseCode code_of(const Story& story) {
  const auto found = verdict::classify(story.state);
  REQUIRE(found.main.has_value());
  return found.main->cause.code;
}

}  // namespace

TEST_CASE("verdict: a VM that a policy stopped has the policy's cause, with what it decided; one stopped by somebody has not",
          "[host][verdict]") {
  const auto ended = [](const std::string& rule, const std::string& actor) {
    Story story;
    story.become_ready();
    story.tell(3000, PolicyDecided{rule, "stop", "acts", "nobody has used it for 1800 s", 1, {}, {}, {}});
    story.tell(3001, StopRequested{StopKind::stop, std::chrono::seconds(5), actor});
    story.report(3100, ByeReport{ByeReport::Kind::poweroff, "host", true});
    story.exit(3200, ExitCode{0}, "guest-shutdown");
    return story;
  };
  const auto idle = ended("idle", "idle policy");
  CHECK(code_of(idle) == CauseCode::policy_idle);
  CHECK(verdict::classify(idle.state).main->cause.evidence.front() == "nobody has used it for 1800 s");
  CHECK(code_of(ended("lease", "lease policy")) == CauseCode::policy_lease_expired);
  CHECK_FALSE(verdict::classify(ended("idle", "alice").state).main.has_value());
}

}  // namespace vigil::machine

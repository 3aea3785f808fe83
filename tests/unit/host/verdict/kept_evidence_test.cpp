// What is known once stays known: the evidence of a service's end when its stage fails too, and that a kernel spoke when its first line is lost.
#include "host/verdict/verdict.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::machine {
using namespace vigil::machine::test;

TEST_CASE("verdict: a stage that fails of a service keeps what is known of that service's end", "[host][verdict]") {
  Story story;
  story.boot();
  const auto cause = make_cause(CauseCode::service_exited_early);
  CrashReport crash;
  crash.crash = "web-1";
  crash.service = "web";
  crash.process = "sh";
  crash.pid = 125;
  crash.exit = ExitCode{0};
  crash.cause = cause;
  story.report(2000, crash);
  story.report(2001, make_service("web", ServiceState::failed, cause));
  story.report(2002, make_stage(Stage::services, StageReport::Phase::failed, "", cause));
  const auto main = verdict::classify(story.state).main.value();
  CHECK(main.service == ServiceName("web"));
  CHECK(main.cause.evidence == std::vector<std::string>{"sh (pid 125) ended with code 0"});
}

TEST_CASE("verdict: a kernel that panicked was not silent, even if its first line is lost", "[host][verdict]") {
  Story story;
  story.start();
  story.tell(500, make_finding(ConsoleKind::panic, "Kernel panic - not syncing: x", {{"text", "x"}}));
  story.exit(600, ExitCode{0}, "guest-reset");
  const auto verdict = verdict::classify(story.state);
  CHECK(verdict.main.value().cause.code == CauseCode::boot_panic);
  CHECK(std::none_of(verdict.also.begin(), verdict.also.end(),
                     [](const auto& each) { return each.cause.code == CauseCode::boot_kernel_silent; }));
}

}  // namespace vigil::machine

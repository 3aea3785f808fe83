#include "host/verdict/verdict.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::machine {
using namespace vigil::machine::test;

using verdict::classify;

namespace {

/// A service that failed of a signal, before its trace has come.
Story failed_by_signal() {
  Story story;
  story.boot();
  CrashReport crash;
  crash.crash = "web-1";
  crash.service = "web";
  crash.cause = make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}}, {"last words"});
  story.report(3000, crash);
  auto service = make_service("web", ServiceState::failed);
  service.cause = crash.cause;
  story.report(3010, service);
  return story;
}

Cause cause_with_trace(Story& story, std::vector<TraceFrame> frames) {
  CrashTrace trace;
  trace.crash = "web-1";
  trace.frames = std::move(frames);
  story.report(3200, trace);
  return classify(story.state).main.value().cause;
}

}  // namespace

TEST_CASE("verdict: a trace names the function and comes first in the evidence", "[host][verdict]") {
  Story story = failed_by_signal();
  CHECK_FALSE(field_text(classify(story.state).main.value().cause, "function").has_value());
  const auto cause = cause_with_trace(story, {{"/lib/libc.so.6", "", "", 0x77}, {"/usr/bin/web", "", "parse", 0x1234}});
  CHECK(field_text(cause, "function") == "parse");
  CHECK(cause.evidence == std::vector<std::string>{"#0 libc.so.6+0x77", "#1 parse (web+0x1234)", "last words"});
}

TEST_CASE("verdict: frames without a name come after what the program said", "[host][verdict]") {
  Story story = failed_by_signal();
  const auto cause = cause_with_trace(story, {{"/lib/libc.so.6", "", "raise", 0x77}, {"/usr/bin/web", "", "", 0x1234}});
  CHECK(cause.evidence == std::vector<std::string>{"last words", "#0 raise (libc.so.6+0x77)", "#1 web+0x1234"});
}

}  // namespace vigil::machine

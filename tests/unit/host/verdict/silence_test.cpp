// A guest that does not answer, and what is not let out of a healthy one.
#include "host/verdict/verdict.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

#include <algorithm>

namespace vigil::machine {
using namespace vigil::machine::test;

using verdict::classify;

namespace {

CauseCode main_cause(const Story& story) {
  const auto verdict = classify(story.state);
  REQUIRE(verdict.main.has_value());
  return verdict.main->cause.code;
}

bool told_beside(const Story& story, CauseCode code) {
  return std::ranges::any_of(classify(story.state).also, [&](const verdict::Finding& finding) { return finding.cause.code == code; });
}

/// Silent on both channels, and its processor stands still: every sign of a frozen guest.
PulseTaken all_signs() {
  PulseTaken taken;
  taken.pings = 3;
  taken.silent_ms = taken.console_silent_ms = 16'000;
  taken.span_ms = 10'000;
  taken.ran_ms = 9'900;
  taken.vmm_process = taken.device_process = "S";
  taken.vmm_status = "running";
  taken.looks_stuck = 3;
  taken.processors = "CPU 0 at ffffffffc0401008, interrupts off";
  return taken;
}

struct Silence {
  const char* what;
  void (*change)(PulseTaken&);
  std::optional<CauseCode> code;
  Liveness liveness;
};

const Silence silences[] = {
    {"nothing is missing", [](PulseTaken&) {}, CauseCode::guest_frozen, Liveness::unresponsive},
    {"no link instead of pings", [](PulseTaken& taken) { taken.pings = 0; }, CauseCode::guest_frozen, Liveness::unresponsive},
    {"pings without the processors", [](PulseTaken& taken) { taken.looks_stuck = 0; }, CauseCode::link_lost, Liveness::suspect},
    {"one look too few", [](PulseTaken& taken) { taken.looks_stuck = 2; }, CauseCode::link_lost, Liveness::suspect},
    {"processors without the pings", [](PulseTaken& taken) { taken.pings = 1; }, CauseCode::link_lost, Liveness::suspect},
    {"no link, and the processors run", [](PulseTaken& taken) { taken.pings = taken.looks_stuck = 0; }, std::nullopt, Liveness::ok},
    {"the VMM does not say that it runs", [](PulseTaken& taken) { taken.vmm_status = ""; }, CauseCode::link_lost, Liveness::suspect},
    {"the VMM is paused", [](PulseTaken& taken) { taken.vmm_status = "paused"; }, CauseCode::link_lost, Liveness::suspect},
    {"the VMM's process is stopped", [](PulseTaken& taken) { taken.vmm_process = "T"; }, CauseCode::link_lost, Liveness::suspect},
    {"the VMM gets no processor", [](PulseTaken& taken) { taken.ran_ms = 10, taken.waited_ms = 9'900; }, CauseCode::host_starved, Liveness::suspect},
    {"it seems to wait, on a host that has processors to spare",
     [](PulseTaken& taken) { taken.ran_ms = 10, taken.waited_ms = 9'900, taken.host_busy_percent = 1; }, CauseCode::link_lost, Liveness::suspect},
    {"it waits, and runs as well", [](PulseTaken& taken) { taken.ran_ms = 4'000, taken.waited_ms = 6'000; }, CauseCode::guest_frozen, Liveness::unresponsive},
    {"it had little, and did not move", [](PulseTaken& taken) { taken.ran_ms = 1'500, taken.waited_ms = 8'500; }, CauseCode::guest_frozen, Liveness::unresponsive},
    {"it waited for too short a time", [](PulseTaken& taken) { taken.span_ms = 4'000, taken.ran_ms = 0, taken.waited_ms = 4'000; }, CauseCode::link_lost, Liveness::suspect},
    {"it answers again", [](PulseTaken& taken) { taken.answers = true; }, std::nullopt, Liveness::ok},
};

}  // namespace

TEST_CASE("verdict: each sign of a frozen guest is needed, and none stands for another", "[host][verdict]") {
  const auto index = GENERATE(range(std::size_t{0}, std::size(silences)));
  const auto& row = silences[index];
  INFO(row.what);
  auto taken = all_signs();
  row.change(taken);
  Story story;
  story.become_ready();
  story.tell(16'000, taken);
  const auto verdict = classify(story.state);
  CHECK(liveness(story.state) == row.liveness);
  REQUIRE(verdict.main.has_value() == row.code.has_value());
  if (row.code) CHECK(verdict.main->cause.code == *row.code);
  if (row.code) CHECK_FALSE(verdict.main->cause.evidence.empty());
}

TEST_CASE("verdict: a guest that is heard again is not frozen, and a frozen one matters more than its dead device", "[host][verdict]") {
  Story story;
  story.become_ready();
  story.tell(3000, DeviceExited{"vhost-device-vsock", ExitSignal{9, false}});
  story.tell(16'000, all_signs());
  CHECK(main_cause(story) == CauseCode::guest_frozen);
  CHECK(told_beside(story, CauseCode::vmm_device_died));
  const auto evidence = classify(story.state).main->cause.evidence;
  CHECK(std::ranges::any_of(evidence, [](const std::string& line) { return line.find("vhost-device-vsock ended") != std::string::npos; }));
  story.tell(17'000, ClockSynced{5, 7});
  CHECK(main_cause(story) == CauseCode::vmm_device_died);
}

TEST_CASE("verdict: what was not let out of a VM is told beside it, the newest of each kind and destination", "[host][verdict]") {
  Story story;
  story.become_ready();
  for (int i = 0; i < 100; ++i) story.tell(3000, EgressRefused{make_cause(CauseCode::egress_denied, {{"host", "n" + std::to_string(i) + ".test:80"}}), 1});
  story.tell(3100, EgressRefused{make_cause(CauseCode::egress_dns_failed, {{"host", "a.test"}}, {"no such name"}), 2});
  story.tell(3200, EgressRefused{make_cause(CauseCode::egress_dns_failed, {{"host", "a.test"}}, {"no answer"}), 2});
  CHECK_FALSE(classify(story.state).main.has_value());
  CHECK(told_beside(story, CauseCode::egress_dns_failed));
  CHECK(story.current().egress_causes.size() == 32);
  CHECK(story.current().egress_causes.back().cause.evidence == std::vector<std::string>{"no answer"});
  CHECK(story.current().egress_refused == 104);
}

TEST_CASE("verdict: a sign-in that failed in a VM is told beside it, until another to the same provider begins", "[host][verdict]") {
  using Step = SigninReport::Step;
  Story story;
  story.become_ready();
  const auto step = [&](Step what, const std::string& provider, std::optional<Cause> cause = std::nullopt) {
    SigninReport report;
    report.session = SigninSessionId("ss-1");
    report.provider = provider;
    report.step = what;
    report.cause = std::move(cause);
    story.report(3000, report);
  };
  step(Step::failed, "codex", make_cause(CauseCode::signin_cli_exited, {}, {"Codex ended with code 7"}));
  step(Step::failed, "gemini_cli", make_cause(CauseCode::signin_url_not_found, {}));
  CHECK_FALSE(classify(story.state).main.has_value());
  CHECK(told_beside(story, CauseCode::signin_url_not_found));
  const auto& failure = story.current().signin_failures.at("codex");
  CHECK(failure.cause.evidence == std::vector<std::string>{"sign-in to codex, session ss-1", "Codex ended with code 7"});
  step(Step::cli_started, "codex");
  CHECK_FALSE(told_beside(story, CauseCode::signin_cli_exited));
  step(Step::failed, "gemini_cli", make_cause(CauseCode::signin_cancelled, {}));
  CHECK_FALSE(told_beside(story, CauseCode::signin_url_not_found));
  for (int i = 0; i < 100; ++i) step(Step::failed, "p" + std::to_string(i), make_cause(CauseCode::signin_cli_exited, {}));
  CHECK(story.current().signin_failures.size() == 8);
}

}  // namespace vigil::machine

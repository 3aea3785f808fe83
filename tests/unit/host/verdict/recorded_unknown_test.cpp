// Recorded runs whose evidence is lost in a way that leaves no true statement: the verdict is `unknown` with what was seen, never a guess.
#include "tests/unit/host/verdict/recording.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

#include <algorithm>

namespace vigil::machine {

using protocol::ExitUnknown;
using protocol::ServiceReport;
using protocol::StageReport;

namespace {

using Damage = void (*)(VmEvent&);

/// The shim's record was not there and QMP said nothing.
void end_not_known(VmEvent& event) {
  auto* const ended = std::get_if<VmmExited>(&event.body);
  if (ended == nullptr) return;
  ended->exit = ExitUnknown{"exit.json is not there"};
  ended->reason.clear();
  ended->last_words.clear();
}

void no_reason(VmEvent& event) {
  if (auto* const ended = std::get_if<VmmExited>(&event.body)) ended->reason.clear();
}

void no_last_words(VmEvent& event) {
  if (auto* const ended = std::get_if<VmmExited>(&event.body)) ended->last_words.clear();
}

/// The service's own word, and the stage that waited for it, without the cause.
void no_cause(VmEvent& event) {
  auto* const reported = std::get_if<Reported>(&event.body);
  if (reported == nullptr) return;
  if (auto* const service = std::get_if<ServiceReport>(&reported->report.body)) service->cause.reset();
  if (auto* const stage = std::get_if<StageReport>(&reported->report.body)) stage->cause.reset();
}

struct Loss {
  const char* row;
  Damage damage;
  const char* without_kind;   // left out as a whole; empty: nothing
  const char* seen;           // a part of what the verdict says that it saw
};

const Loss losses[] = {
    {"vmm-sigkill", end_not_known, "", "how it ended is not known: exit.json is not there"},
    {"vmm-sigsegv", end_not_known, "", "how it ended is not known"},
    {"powers-off-at-once", no_reason, "", "no bye, no panic; QMP gave no reason"},
    {"resets-at-once", no_reason, "", "no bye, no panic; QMP gave no reason"},
    {"vmm-sigterm", no_last_words, "", "QMP: host-signal"},
    {"program-absent", no_cause, "crash", "the service failed without a cause"},
};

}  // namespace

TEST_CASE("recorded rows: what is lost is unknown, with what was seen", "[host][verdict][golden]") {
  const Loss& loss = losses[GENERATE(range(std::size_t{0}, std::size(losses)))];
  INFO(loss.row);
  test::RecordedRow run{loss.row, "unknown", "", test::load_recording(loss.row)};
  for (auto& each : run.events) loss.damage(each.event);
  const test::Missing missing = [&](const test::RecordedEvent& each) { return each.kind == loss.without_kind; };
  CHECK(run.said(missing) == std::set<std::string>{"unknown"});
  const auto sentences = run.seen(missing);
  CHECK(
      std::any_of(sentences.begin(), sentences.end(), [&](const std::string& text) { return text.find(loss.seen) != std::string::npos; }));
}

}  // namespace vigil::machine

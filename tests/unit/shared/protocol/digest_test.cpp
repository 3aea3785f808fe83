#include "tests/unit/shared/protocol/samples.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::protocol {

namespace {

template <class T>
T through_digest(const T& report) {
  return std::get<T>(decode_digest(encode_digest(report)).value());
}

}  // namespace

TEST_CASE("digest: a service's state, pid, restarts and cause survive", "[shared][protocol]") {
  const auto digest = through_digest(samples::service());
  CHECK(digest.name == ServiceName("web"));
  CHECK(digest.state == ServiceState::backoff);
  CHECK_FALSE(digest.essential);
  CHECK(digest.pid == 93);
  CHECK(digest.restarts == 2);
  CHECK(digest.since_us == 5'120'000);
  CHECK(digest.waits_for == std::vector<std::string>{"db"});
  CHECK(digest.cause == samples::port_taken());
}

TEST_CASE("digest: a crash keeps identity, exit, cause and its first evidence", "[shared][protocol]") {
  const auto digest = through_digest(samples::crash());
  CHECK(digest.crash == "web-1");
  CHECK(digest.service == "web");
  CHECK(digest.exit == ExitStatus(ExitSignal{11, true}));
  CHECK(digest.cause == samples::crash().cause);
  CHECK(digest.stderr_tail.empty());
}

TEST_CASE("digest: stage, health, dropped and bye survive", "[shared][protocol]") {
  const StageReport stage{Stage::initrd, StageReport::Phase::done, "12 modules", std::nullopt};
  CHECK(through_digest(stage) == stage);
  const DroppedReport dropped{"service", 4, 9, 5};
  CHECK(through_digest(dropped) == dropped);
  const ByeReport bye{ByeReport::Kind::poweroff, "pid 312 (poweroff)", false};
  CHECK(through_digest(bye) == bye);
  const HealthReport health{1000, 900, 800, 700, 120, 33, {make_cause(CauseCode::guest_disk_full)}};
  CHECK(through_digest(health) == health);
}

TEST_CASE("digest: what is said most often fits into one record", "[shared][protocol]") {
  ServiceReport ready{ServiceName("web"), ServiceState::ready, true, 4'194'303, 12, 5'120'000'000, {}, {}, std::nullopt, 0};
  CHECK(encode_digest(ready).size() <= 144);
  CHECK(encode_digest(StageReport{Stage::agent, StageReport::Phase::done, "", std::nullopt}).size() <= 144);
}

TEST_CASE("digest: evidence is cut first, the cause's code never", "[shared][protocol]") {
  auto report = samples::crash();
  report.cause.evidence = {std::string(512, '\x01')};
  auto digest = through_digest(report);
  CHECK(encode_digest(report).size() <= max_digest_bytes);
  CHECK(digest.cause.fields == report.cause.fields);

  report.service = std::string(63, 's');
  report.crash = std::string(256, '"');
  report.process = std::string(15, '\x02');
  for (int i = 0; i < 16; ++i) report.cause.fields[std::string(20, static_cast<char>('a' + i))] = std::string(1024, '\x03');
  digest = through_digest(report);
  CHECK(encode_digest(report).size() <= max_digest_bytes);
  CHECK(digest.cause.text == "service.signalled");
  CHECK(digest.service == report.service);
}

TEST_CASE("digest: texts that are none are refused or kept, and never throw", "[shared][protocol]") {
  const std::string text = GENERATE(as<std::string>(), "", "[]", "{}", R"({"t":"crash"})", R"({"t":"crash","k":"a","e":5,"c":{"k":"x"}})",
                                    R"({"t":"stage","s":"agent","p":"failed","c":[]})",
                                    R"({"t":"health","m":[1],"a":[1,2],"l":0,"n":0,"c":[]})", R"({"t":"service","n":"../x","s":"ready"})");
  CAPTURE(text);
  CHECK(decode_digest(text).has_error());
}

TEST_CASE("digest: a word or a type of a newer guest is kept", "[shared][protocol]") {
  CHECK(decode_digest(R"({"t":"stage","s":"warp","p":"done"})").value() ==
        ReportBody(OtherReport{"stage", R"({"p":"done","s":"warp","t":"stage"})"}));
  CHECK(report_type(decode_digest(R"({"t":"net"})").value()) == "net");
}

}  // namespace vigil::protocol

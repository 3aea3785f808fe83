#include "guest/systemd/unit_probes.hpp"

#include "tests/unit/guest/supervisor/supervisor_scene.hpp"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <fstream>
#include <optional>

namespace vigil::guest::systemd {
namespace {

using protocol::CauseCode;

struct ProbedUnit {
  EventLoop loop;
  process::Launcher launcher;
  process::Reaper reaper{loop};
  readiness::ListenerWatch listeners{loop, ""};
  readiness::ProbeTools tools{loop, launcher, reaper, listeners, 1, "/tmp", [](pid_t pid) { return std::to_string(pid); }};
  int changes = 0;
  std::optional<UnitProbes> probes;
  UnitFacts facts;

  explicit ProbedUnit(const std::string& ready, const std::string& timeout = "") {
    auto wishes = parse_probe_wishes("/etc/systemd/system/app.service", ready, timeout);
    REQUIRE(std::holds_alternative<ProbeWishes>(wishes));
    probes.emplace(std::get<ProbeWishes>(std::move(wishes)), ServiceName("app"), tools, [this] { ++changes; });
    facts.id = "app.service";
    facts.main_pid = ::getpid();
    facts.invocation = "first";
  }
  void becomes(const char* state) {
    facts.active_state = state;
    probes->follow(facts);
  }
};

std::string tcp(const std::string& port) { return R"({"tcp":{"port":)" + port + "}}"; }

protocol::Cause wrong(const std::string& ready, const std::string& timeout = "") {
  auto wishes = parse_probe_wishes("/etc/systemd/system/app.service", ready, timeout);
  REQUIRE(std::holds_alternative<protocol::Cause>(wishes));
  return std::get<protocol::Cause>(wishes);
}

}  // namespace

TEST_CASE("unit probes: asked when systemd calls the unit active, and not before", "[guest][systemd]") {
  supervisor::OwnPort port;
  ProbedUnit unit(tcp(port.port()));
  unit.becomes("activating");
  CHECK_FALSE(unit.probes->passed());
  CHECK(unit.probes->results().empty());
  unit.becomes("active");
  CHECK(run_until(unit.loop, [&] { return unit.probes->passed() && unit.changes > 0; }));
  CHECK_FALSE(unit.probes->cause().has_value());
  REQUIRE(unit.probes->results().size() == 1);
  CHECK(unit.probes->results()[0].passed);
}

TEST_CASE("unit probes: each run is probed anew, a mere change of the same run is not", "[guest][systemd]") {
  supervisor::OwnPort port;
  ProbedUnit unit(tcp(port.port()));
  unit.becomes("active");
  REQUIRE(run_until(unit.loop, [&] { return unit.probes->passed(); }));
  port.close();
  unit.becomes("active");
  CHECK(unit.probes->passed());
  unit.facts.invocation = "second";
  unit.becomes("active");
  CHECK_FALSE(unit.probes->passed());
  unit.becomes("deactivating");
  CHECK(unit.probes->results().empty());
}

TEST_CASE("unit probes: after its time the obstacle is named, and late is better than never", "[guest][systemd]") {
  const std::string port = supervisor::free_port();
  ProbedUnit unit(tcp(port), "0.05");
  unit.becomes("active");
  REQUIRE(run_until(unit.loop, [&] { return unit.probes->is_overdue(); }));
  REQUIRE(unit.probes->cause().has_value());
  CHECK(unit.probes->cause()->code == CauseCode::service_ready_timeout);
  ProbedUnit late(R"({"file":{"path":"/tmp/vigil-unit-probes-)" + std::to_string(::getpid()) + R"("}})", "0.05");
  late.becomes("active");
  REQUIRE(run_until(late.loop, [&] { return late.probes->is_overdue(); }));
  const std::string path = "/tmp/vigil-unit-probes-" + std::to_string(::getpid());
  { std::ofstream there(path); }
  CHECK(run_until(late.loop, [&] { return late.probes->passed(); }));
  CHECK_FALSE(late.probes->is_overdue());
  ::unlink(path.c_str());
}

TEST_CASE("unit probes: what is wrong in a unit's file is named by file and key", "[guest][systemd]") {
  for (const char* ready : {"tcp", "{}", R"({"tcp":{"port":0}})", R"({"tpc":{"port":80}})", R"({"tcp":{"port":80}},"exec":["/other"])",
                            R"({"tcp":{"port":80})"}) {
    CAPTURE(ready);
    const auto cause = wrong(ready);
    CHECK(cause.code == CauseCode::service_spec_invalid);
    CHECK(protocol::field_text(cause, "file") == "/etc/systemd/system/app.service");
    CHECK(protocol::field_text(cause, "key") == "Ready");
  }
  CHECK(protocol::field_text(wrong("", "20"), "key") == "ReadyTimeout");
  CHECK(wrong(R"({"sd-notify":{}})").evidence.front().find("Type=notify") != std::string::npos);
  auto none = parse_probe_wishes("x", "", "");
  REQUIRE(std::holds_alternative<ProbeWishes>(none));
  CHECK(std::get<ProbeWishes>(none).probes.empty());
}

}  // namespace vigil::guest::systemd

#include "guest/systemd/units.hpp"

#include "tests/unit/guest/supervisor/supervisor_scene.hpp"
#include "tests/unit/guest/systemd/fake_systemd.hpp"

#include <catch2/catch_test_macros.hpp>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

namespace vigil::guest::systemd {
using namespace std::chrono_literals;

using protocol::CauseCode;
using protocol::ServiceState;
using test::FakeSystemd;
using test::FakeUnit;

namespace {

struct Collected final : ReportSink {
  Seq submit(protocol::ReportBody body) override {
    if (auto* service = std::get_if<protocol::ServiceReport>(&body)) services.push_back(*service);
    if (auto* crash = std::get_if<protocol::CrashReport>(&body)) crashes.push_back(*crash);
    return services.size() + crashes.size();
  }
  std::optional<protocol::ServiceReport> last(const std::string& name) const {
    for (auto each = services.rbegin(); each != services.rend(); ++each)
      if (each->name.value() == name) return *each;
    return std::nullopt;
  }
  std::vector<protocol::ServiceReport> services;
  std::vector<protocol::CrashReport> crashes;
};

/// A machine with three wanted units, two of them an administrator's, while it boots.
struct Machine {
  Machine() {
    char name[] = "/tmp/vigil-units-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder = name;
    std::ofstream(folder + "/app.service") << "[Service]\n";
    std::ofstream(folder + "/side.service") << "[X-Vigil]\nEssential=no\n";
    fake.emplace(loop, folder + "/private");
    fake->units["default.target"] = {
        .id = "multi-user.target", .wants = {"app.service", "side.service", "vendor.service", "deeper.target"}, .job = 1};
    fake->units["deeper.target"] = {.id = "deeper.target"};
    fake->units["app.service"] = {.id = "app.service", .fragment = folder + "/app.service", .job = 2};
    fake->units["side.service"] = {.id = "side.service", .fragment = folder + "/side.service", .job = 3};
    fake->units["vendor.service"] = {.id = "vendor.service", .fragment = "/usr/lib/vendor.service", .job = 4};
    for (const char* rescue : {"emergency.target", "emergency.service", "rescue.target"}) fake->units[rescue] = {.id = rescue};
    options.socket = folder + "/private";
    options.admin_folder = folder;
    options.credential_folder = folder + "/credentials";
    options.words = {folder + "/no-journal", folder + "/no-journalctl"};
  }
  ~Machine() { std::filesystem::remove_all(folder); }

  void start() {
    units.emplace(loop, sink, launcher, reaper, options);
    supervisor::SupervisorEvents events;
    events.essentials_ready = [this] { ++ready; };
    events.essential_failed = [this](const protocol::ServiceReport& report) { failed.push_back(report.name.value()); };
    units->start(std::move(events));
    turn();
  }
  /// Until everything that was said has been heard and answered, and what that has made due has been done.
  void turn() {
    constexpr int quiet_turns = 4;   // of the loop: who has heard something may have posted what follows from it
    int quiet = 0;
    REQUIRE(becomes_true([&] { return (quiet = fake->is_quiet() ? quiet + 1 : 0) == quiet_turns; }));
  }
  /// For what a timer of the units' brings about.
  bool becomes_true(const std::function<bool()>& is_so) {
    bool is_late = false;
    const LoopToken end = loop.after(30s, [&is_late] { is_late = true; });
    while (!is_so() && !is_late) loop.run_once(1ms);
    return is_so() || !is_late;
  }
  bool has_cause(const std::string& name, CauseCode code) {
    const auto report = sink.last(name);
    return report && report->cause && report->cause->code == code;
  }
  void becomes(const std::string& name, const char* active, const char* sub, std::uint32_t job = 0) {
    FakeUnit& unit = fake->units.at(name);
    unit.active = active;
    unit.sub = sub;
    unit.job = job;
    fake->tell(name);
    turn();
  }
  void dies(const std::string& name, int code, const char* active, const char* sub, std::uint32_t job = 0) {
    FakeUnit& unit = fake->units.at(name);
    unit.exec_pid = ++pid;
    unit.code = CLD_EXITED;
    unit.status = code;
    unit.ended_us = loop.now_us();
    unit.result = code == 0 ? "success" : "exit-code";
    becomes(name, active, sub, job);
  }
  void all_ready() {
    becomes("app.service", "active", "running");
    becomes("side.service", "active", "running");
    becomes("default.target", "active", "active");
  }

  EventLoop loop;
  Collected sink;
  process::Launcher launcher;
  process::Reaper reaper{loop};
  std::string folder;
  std::optional<FakeSystemd> fake;
  UnitsOptions options;
  std::optional<Units> units;
  int ready = 0;
  std::uint32_t pid = 100;
  std::vector<std::string> failed;
};

}  // namespace

TEST_CASE("units: an administrator's wanted services and the default target are adopted, others are not", "[guest][systemd]") {
  Machine machine;
  machine.start();
  std::vector<std::string> names;
  for (const auto& report : machine.units->services()) {
    names.push_back(report.name.value());
    REQUIRE(report.state == ServiceState::waiting);
  }
  REQUIRE(names == std::vector<std::string>{"multi-user.target", "app", "side"});
  REQUIRE(machine.sink.last("app")->essential);
  REQUIRE_FALSE(machine.sink.last("side")->essential);
}

TEST_CASE("units: ready is when every essential unit is active and the target is reached, and not before", "[guest][systemd]") {
  Machine machine;
  machine.start();
  SECTION("units first") {
    machine.becomes("app.service", "active", "running");
    REQUIRE(machine.ready == 0);
    machine.becomes("default.target", "active", "active");
  }
  SECTION("target first") {
    machine.becomes("default.target", "active", "active");
    REQUIRE(machine.ready == 0);
    machine.becomes("app.service", "active", "running");
  }
  REQUIRE(machine.ready == 1);
  REQUIRE(machine.sink.last("app")->state == ServiceState::ready);
}

TEST_CASE("units: a unit that fails is named, with a crash report that has its code", "[guest][systemd]") {
  Machine machine;
  machine.fake->units["app.service"].restart = "no";
  machine.start();
  machine.dies("app.service", 7, "failed", "failed");
  const auto report = machine.sink.last("app");
  REQUIRE(report->state == ServiceState::failed);
  REQUIRE(report->cause->code == CauseCode::unit_failed);
  REQUIRE(field_text(*report->cause, "unit") == "app.service");
  REQUIRE(report->cause->evidence.front() == "app.service: result exit-code: ended with code 7");
  REQUIRE(machine.failed == std::vector<std::string>{"app"});
  REQUIRE(machine.sink.crashes.size() == 1);
  REQUIRE(machine.sink.crashes[0].service == "app");
  REQUIRE(machine.sink.crashes[0].exit == protocol::ExitStatus(protocol::ExitCode{7}));
  REQUIRE_FALSE(machine.sink.crashes[0].will_restart);
}

TEST_CASE("units: one that is stopped on request, or ends well, has not crashed", "[guest][systemd]") {
  Machine machine;
  machine.start();
  machine.all_ready();
  CAPTURE(machine.folder);
  SECTION("ended well") { machine.dies("app.service", 0, "inactive", "dead"); }
  SECTION("stopped") {
    machine.becomes("app.service", "deactivating", "stop-sigterm", 9);
    machine.dies("app.service", 143, "failed", "failed");   // as many a program answers SIGTERM
  }
  REQUIRE(machine.sink.last("app")->state == ServiceState::stopped);
  REQUIRE(machine.sink.crashes.empty());
  REQUIRE_FALSE(machine.sink.last("app")->cause);
}

TEST_CASE("units: who was started too often has reached its start limit", "[guest][systemd]") {
  Machine machine;
  machine.start();
  for (std::uint32_t restart = 0; restart < 4; ++restart) {
    machine.fake->units["app.service"].restarts = restart;
    machine.dies("app.service", 1, "activating", "auto-restart");
    REQUIRE(machine.sink.last("app")->state == ServiceState::backoff);
  }
  machine.fake->units["app.service"].restarts = 4;
  machine.becomes("app.service", "failed", "failed");
  REQUIRE(machine.sink.last("app")->state == ServiceState::backoff);   // as on the way from each run to the next
  machine.fake->job_removed("app.service", "failed");
  machine.turn();
  REQUIRE(machine.sink.last("app")->cause->code == CauseCode::unit_start_limit);
  REQUIRE(machine.sink.crashes.size() == 4);
  REQUIRE(machine.sink.crashes[0].will_restart);
}

TEST_CASE("units: one that fails although it is to be restarted is failed once systemd has let it be", "[guest][systemd]") {
  Machine machine;
  machine.start();
  machine.dies("app.service", 1, "failed", "failed");
  REQUIRE(machine.sink.last("app")->state == ServiceState::backoff);
  REQUIRE(machine.failed.empty());
  REQUIRE(machine.becomes_true([&] { return machine.has_cause("app", CauseCode::unit_failed); }));
  machine.turn();
  REQUIRE(machine.failed == std::vector<std::string>{"app"});
}

TEST_CASE("units: one that ends well and is started again for ever is a crash loop, until it stays up", "[guest][systemd]") {
  Machine machine;
  auto& app = machine.fake->units["app.service"];
  app.restart = "always";
  app.burst = 0;
  machine.start();
  for (int end = 0; end < 5; ++end) {
    machine.dies("app.service", 0, "inactive", "dead");   // systemd passes through this on its way
    machine.becomes("app.service", "activating", "auto-restart");
    app.code = 0;
    machine.becomes("app.service", "active", "running");
  }
  REQUIRE(machine.sink.last("app")->state == ServiceState::failed);
  REQUIRE(machine.sink.last("app")->cause->code == CauseCode::service_crash_loop);
  REQUIRE(machine.failed == std::vector<std::string>{"app"});
}

TEST_CASE("units: emergency mode keeps the target from being reached, whatever is active", "[guest][systemd]") {
  Machine machine;
  machine.start();
  machine.fake->job_removed("data.mount", "failed");
  machine.becomes("emergency.target", "active", "active");
  const auto target = machine.sink.last("multi-user.target");
  REQUIRE(target->state == ServiceState::failed);
  REQUIRE(target->cause->code == CauseCode::unit_emergency_mode);
  REQUIRE(target->cause->evidence == std::vector<std::string>{"data.mount: failed"});
  machine.becomes("emergency.target", "inactive", "dead");
  machine.all_ready();
  REQUIRE(machine.ready == 1);
}

TEST_CASE("units: a job whose dependency failed is told with what failed first", "[guest][systemd]") {
  Machine machine;
  machine.start();
  machine.fake->job_removed("dev-vdz.device", "timeout");
  machine.fake->job_removed("data.mount", "dependency");
  machine.becomes("app.service", "inactive", "dead");
  machine.fake->job_removed("app.service", "dependency");
  machine.turn();
  const auto app = machine.sink.last("app");
  REQUIRE(app->state == ServiceState::failed);
  REQUIRE(app->cause->code == CauseCode::unit_device_timeout);
  REQUIRE(app->cause->evidence.size() == 3);
}

TEST_CASE("units: what a unit waits for is named when nothing moves any more", "[guest][systemd]") {
  Machine machine;
  machine.fake->before[2] = {{"network-online.target", "start", "waiting"}};
  machine.fake->before[11] = {{"wait-online.service", "start", "running"}};
  machine.fake->before[1] = {{"app.service", "start", "waiting"}};
  machine.fake->job_ids = {{"network-online.target", 11}, {"wait-online.service", 12}, {"app.service", 2}};
  machine.start();
  machine.becomes("side.service", "active", "running");
  machine.fake->job_removed("side.service", "done");
  REQUIRE(machine.becomes_true([&] { return machine.has_cause("app", CauseCode::unit_blocked); }));
  const auto app = machine.sink.last("app");
  REQUIRE(app->state == ServiceState::waiting);
  REQUIRE(app->waits_for == std::vector<std::string>{"network-online.target"});
  REQUIRE(app->cause->code == CauseCode::unit_blocked);
  REQUIRE(field_text(*app->cause, "waits_for") == "network-online.target");
  REQUIRE_FALSE(machine.sink.last("multi-user.target")->cause);   // it waits for app, which says why itself
  machine.becomes("app.service", "active", "running");
  REQUIRE_FALSE(machine.sink.last("app")->cause);
}

TEST_CASE("units: a lost connection is made anew and what has changed meanwhile is reported", "[guest][systemd]") {
  Machine machine;
  machine.fake->units["app.service"].restart = "no";
  machine.start();
  machine.all_ready();
  machine.fake->units["app.service"].active = "failed";
  machine.fake->units["app.service"].sub = "failed";
  machine.fake->hang_up();
  machine.turn();   // it dials again, and reads everything
  REQUIRE(machine.sink.last("app")->state == ServiceState::failed);
}

TEST_CASE("units: without a connection a failure comes by the drop-in's word", "[guest][systemd]") {
  Machine machine;
  machine.fake->refuse_all();
  machine.start();
  machine.units->unit_failed("app.service", "exit-code");
  REQUIRE(machine.sink.last("app")->state == ServiceState::failed);
  REQUIRE(machine.sink.last("app")->cause->code == CauseCode::unit_failed);
  REQUIRE(machine.ready == 0);
}

TEST_CASE("units: requests become systemd's calls; what cannot be is said", "[guest][systemd]") {
  Machine machine;
  machine.start();
  REQUIRE(machine.units->request(ServiceName("app"), supervisor::ServiceAction::restart).has_value());
  REQUIRE(machine.units->request(ServiceName("app"), supervisor::ServiceAction::reload).error().code() == Errc::unsupported);
  REQUIRE(machine.units->request(ServiceName("nobody"), supervisor::ServiceAction::stop).error().message().find("app") !=
          std::string::npos);
  REQUIRE(machine.units->signal(ServiceName("app"), SIGTERM).error().code() == Errc::conflict);
  machine.units->end_machine(protocol::ByeReport::Kind::reboot);
  machine.turn();
  const auto& called = machine.fake->called;
  REQUIRE(std::find(called.begin(), called.end(), "RestartUnit app.service") != called.end());
  REQUIRE(std::find(called.begin(), called.end(), "StartUnit reboot.target") != called.end());
}

TEST_CASE("units: a machine that ends itself is noticed by its jobs", "[guest][systemd]") {
  Machine machine;
  machine.start();
  REQUIRE_FALSE(machine.units->ending());
  machine.fake->job_new("reboot.target");
  machine.turn();
  REQUIRE(machine.units->ending() == protocol::ByeReport::Kind::reboot);
}

TEST_CASE("units: secrets become credentials that only root reads, and services of the host's are refused by name", "[guest][systemd]") {
  Machine machine;
  machine.options.secrets = {{"key", "value"}, {"../escape", "x"}};
  machine.options.overridden = {"web"};
  machine.start();
  struct stat status{};
  REQUIRE(::stat((machine.folder + "/credentials/key").c_str(), &status) == 0);
  REQUIRE((status.st_mode & 0777) == 0400);
  REQUIRE_FALSE(std::filesystem::exists(machine.folder + "/escape"));
  REQUIRE(machine.sink.last("web")->cause->code == CauseCode::service_spec_invalid);
  machine.all_ready();
  REQUIRE(machine.ready == 0);
}

TEST_CASE("units: what a unit's file asks for holds from the moment at which systemd has read it anew", "[guest][systemd]") {
  supervisor::OwnPort port;
  const std::string closed = supervisor::free_port();
  Machine machine;
  const auto write_file = [&](const std::string& ours) { std::ofstream(machine.folder + "/app.service") << "[X-Vigil]\n" << ours; };
  const auto reload = [&](const std::string& ours) {
    write_file(ours);
    machine.fake->reloaded();
    machine.turn();
  };
  const auto ready = [](const std::string& number) { return R"(Ready={"tcp":{"port":)" + number + "}}\n"; };
  const auto state = [&] { return machine.sink.last("app")->state; };
  write_file(ready(port.port()));
  machine.fake->units["app.service"].main_pid = static_cast<std::uint32_t>(::getpid());   // whose port it is
  machine.start();
  machine.all_ready();
  REQUIRE(machine.becomes_true([&] { return state() == ServiceState::ready; }));
  SECTION("another probe is asked, and the former one is not") {
    reload(ready(closed));
    CHECK(state() == ServiceState::starting);
    reload(ready(port.port()));
    CHECK(machine.becomes_true([&] { return state() == ServiceState::ready; }));
  }
  SECTION("without a probe active is ready again") {
    reload(ready(closed));
    REQUIRE(state() == ServiceState::starting);
    reload("");
    CHECK(state() == ServiceState::ready);
    CHECK(machine.sink.last("app")->probes.empty());
  }
  SECTION("a wish that is wrong is named, and one that is mended is asked") {
    reload("Ready={}\n");
    CHECK(machine.has_cause("app", CauseCode::service_spec_invalid));
    reload(ready(port.port()));
    CHECK(machine.becomes_true([&] { return state() == ServiceState::ready; }));
  }
  SECTION("the same probe keeps what it has found") {
    port.close();
    const auto told = machine.sink.services.size();
    reload(ready(port.port()));
    CHECK(machine.sink.services.size() == told);
    CHECK(state() == ServiceState::ready);
  }
  SECTION("who is not essential any more is told as such") {
    reload("Essential=no\n");
    CHECK_FALSE(machine.sink.last("app")->essential);
  }
}

}  // namespace vigil::guest::systemd

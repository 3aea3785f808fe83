#include "guest/agent/agent.hpp"

#include "../link/host_end.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

namespace vigil::guest::link {

namespace fs = std::filesystem;

namespace {

/// A whole agent in a process of its own, as `vigil-guest run` makes it, and the host's end of its link here.
class AgentScene {
public:
  AgentScene() {
    char folder[] = "/tmp/vigil-agent-test-XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    fs::create_directories(folder_ / "services");
    fs::create_directories(folder_ / "run");
    host.listen();
  }
  ~AgentScene() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    fs::remove_all(folder_);
  }

  void service(const std::string& name, const std::string& json) { std::ofstream(folder_ / "services" / (name + ".json")) << json; }

  void start() {
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ > 0) return;
    agent::AgentSetup setup;
    setup.boot = test_boot;
    setup.services = folder_ / "services";
    setup.supervisor.runtime_dir = folder_ / "run";
    setup.supervisor.tracefs = "";
    UnixDialler dialler(host.path());
    agent::Agent agent(std::move(setup), dialler, console::ConsolePort());
    ::_exit(agent.run() == protocol::ByeReport::Kind::reboot ? 7 : 0);
  }

  /// The first report for which `wanted` holds; all that come are acknowledged, as the host does once it has stored them.
  protocol::Report report(const std::function<bool(const protocol::Report&)>& wanted) {
    for (;;) {
      const auto message = host.receive();
      const auto* found = std::get_if<protocol::Report>(&message.content);
      if (!found) continue;
      host.send(protocol::Ack{found->seq});
      if (wanted(*found)) return *found;
    }
  }
  void stage_done(protocol::Stage stage) {
    report([stage](const protocol::Report& report) {
      const auto* done = std::get_if<protocol::StageReport>(&report.body);
      return done && done->stage == stage && done->phase == protocol::StageReport::Phase::done;
    });
  }
  protocol::Reply reply() {
    for (;;) {
      const auto message = host.receive();
      if (const auto* found = std::get_if<protocol::Reply>(&message.content)) return *found;
      if (const auto* report = std::get_if<protocol::Report>(&message.content)) host.send(protocol::Ack{report->seq});
    }
  }

  int exit_code() {
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    bool over = false;
    const auto watch = loop.watch(handle.get(), EPOLLIN, [&](std::uint32_t) { over = true; });
    host.until([&] { return over; });
    int status = 0;
    REQUIRE(::waitpid(std::exchange(pid_, 0), &status, 0) > 0);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

  pid_t pid() const { return pid_; }
  EventLoop loop;
  HostEnd host{loop};

private:
  fs::path folder_;
  pid_t pid_ = 0;
};

constexpr const char* sleeper = R"({"name":"sleeper","exec":["/bin/sleep","1000"]})";

bool is_bye(const protocol::Report& report) { return std::holds_alternative<protocol::ByeReport>(report.body); }

}  // namespace

TEST_CASE("agent: configuration, services, ready, and an end that the host asked for", "[guest][agent]") {
  AgentScene scene;
  scene.service("sleeper", sleeper);
  scene.start();
  REQUIRE(scene.host.receive_a<protocol::Hello>().phase == "init");
  scene.host.welcome("t");
  scene.stage_done(protocol::Stage::agent);
  scene.stage_done(protocol::Stage::services);
  scene.stage_done(protocol::Stage::ready);

  scene.host.send(protocol::Request{1, "diagnose", "{}"});
  const auto diagnosis = scene.reply();
  REQUIRE(diagnosis.ok);
  REQUIRE(diagnosis.result.find("\"sleeper\"") != std::string::npos);

  scene.host.send(protocol::Request{2, "shutdown", R"({"kind":"reboot"})"});
  REQUIRE(scene.reply().ok);
  const auto bye = std::get<protocol::ByeReport>(scene.report(is_bye).body);
  REQUIRE(bye.host_asked);
  REQUIRE(bye.kind == protocol::ByeReport::Kind::reboot);
  REQUIRE(scene.exit_code() == 7);
}

TEST_CASE("agent: the host's overlay changes a service before it starts", "[guest][agent]") {
  AgentScene scene;
  scene.service("sleeper", sleeper);
  scene.start();
  scene.host.receive_a<protocol::Hello>();
  protocol::Welcome welcome = make_welcome("t");
  welcome.config.services["sleeper"] = R"({"exec":["/usr/bin/does-not-exist"],"restart":"never"})";
  scene.host.send(welcome);
  const auto failed = scene.report([](const protocol::Report& report) {
    const auto* stage = std::get_if<protocol::StageReport>(&report.body);
    return stage && stage->phase == protocol::StageReport::Phase::failed;
  });
  const auto& stage = std::get<protocol::StageReport>(failed.body);
  REQUIRE(stage.stage == protocol::Stage::services);
  REQUIRE(stage.detail == "sleeper");
  REQUIRE(stage.cause->text == "service.missing_binary");
}

TEST_CASE("agent: a signal ends it, and bye says who sent it", "[guest][agent]") {
  AgentScene scene;
  scene.service("sleeper", sleeper);
  scene.start();
  scene.host.receive_a<protocol::Hello>();
  scene.host.welcome("t");
  scene.stage_done(protocol::Stage::ready);
  REQUIRE(::kill(scene.pid(), SIGPWR) == 0);
  const auto bye = std::get<protocol::ByeReport>(scene.report(is_bye).body);
  REQUIRE_FALSE(bye.host_asked);
  REQUIRE(bye.asked_by.starts_with("pid " + std::to_string(::getpid())));
  REQUIRE(scene.exit_code() == 0);
}

TEST_CASE("agent: what it cannot do it says by name", "[guest][agent]") {
  AgentScene scene;
  scene.start();
  scene.host.receive_a<protocol::Hello>();
  scene.host.welcome("t");
  scene.stage_done(protocol::Stage::ready);   // no services: nothing to wait for
  scene.host.send(protocol::Request{1, "service", R"({"name":"nobody","action":"start"})"});
  const auto unknown = scene.reply();
  REQUIRE_FALSE(unknown.ok);
  REQUIRE_FALSE(unknown.problem.empty());
  scene.host.send(protocol::Request{2, "dance", "{}"});
  REQUIRE(scene.reply().problem.find("dance") != std::string::npos);
}

}  // namespace vigil::guest::link

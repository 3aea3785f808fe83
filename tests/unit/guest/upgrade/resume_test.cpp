// What one owner keeps, another goes on with: over copies of the descriptors, as an exec would leave them.
#include "guest/supervisor/kept_service.hpp"
#include "tests/unit/guest/streams/stage.hpp"
#include "tests/unit/guest/supervisor/supervisor_scene.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

namespace vigil::guest {
namespace {

void copy(int& fd) {
  if (fd >= 0) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 100);
}

void copy_all(std::vector<streams::KeptExec>& execs, streams::StreamServer::Kept& kept) {
  for (auto& exec : execs) {
    for (auto& output : exec.outputs) copy(output.fd);
    copy(exec.terminal_fd);
    copy(exec.input_fd);
  }
  for (auto& stream : kept.streams) {
    copy(stream.fd);
    if (auto* bridge = std::get_if<streams::KeptBridge>(&stream.operation)) copy(bridge->fd);
  }
}

/// Programs and streams of one life of the agent.
struct Owner {
  streams::ExecSessions sessions;
  streams::FileWorkers workers;
  streams::StreamServer server;

  Owner(streams::Stage& stage, int listener)
      : sessions({stage.loop, stage.launcher, stage.reaper, "", {}}),
        workers(sessions.host(), "/nonexistent/worker"),
        server(
            stage.loop, UniqueFd(listener), [](int fd) { return UniqueFd(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); },
            streams::make_opener(stage.loop, sessions, workers, stage.logs)) {}

  static std::unique_ptr<Owner> first(streams::Stage& stage) {
    int listener = stage.server->keep().listener;
    copy(listener);
    stage.server.reset();
    return std::make_unique<Owner>(stage, listener);
  }
  static std::unique_ptr<Owner> after(streams::Stage& stage, std::unique_ptr<Owner> former) {
    auto kept = former->server.keep();
    auto execs = former->sessions.keep();
    REQUIRE(kept.left_out == 0);
    copy(kept.listener);
    copy_all(execs, kept);
    former.reset();
    auto next = std::make_unique<Owner>(stage, kept.listener);
    next->sessions.resume(execs);
    next->server.resume(kept.streams, streams::make_reviver(stage.loop, next->sessions, stage.logs));
    return next;
  }
};

streams::ExecOpening shell(const std::string& script) {
  streams::ExecOpening open;
  open.argv = {"sh", "-c", script};
  open.with_stdin = true;
  return open;
}

TEST_CASE("resume: programs on streams have their input, output and exit code from the next owner", "[guest][upgrade]") {
  streams::Stage stage;
  auto owner = Owner::first(stage);
  const auto reading = stage.open(shell("echo before; read line; echo got $line; exit 7"));
  auto on_terminal = shell("echo ready; read line; echo got $line; exit 5");
  on_terminal.terminal = streams::TerminalSize{};
  const auto typing = stage.open(on_terminal);
  stage.accepted(*reading);
  stage.accepted(*typing);
  stage.until([&] {
    return reading->got[streams::Channel::out] == "before\n" && typing->got[streams::Channel::out].find("ready") != std::string::npos;
  });
  for (int lives = 0; lives < 3; ++lives) owner = Owner::after(stage, std::move(owner));
  reading->send(streams::Channel::data, "a line\n");
  typing->send(streams::Channel::data, "typed\n");
  stage.until([&] { return reading->is_over() && typing->is_over(); });
  CHECK(reading->got[streams::Channel::out] == "before\ngot a line\n");
  CHECK(reading->last<streams::Exit>() == streams::Exit{protocol::ExitCode{7}});
  CHECK(typing->got[streams::Channel::out].find("got typed") != std::string::npos);
  CHECK(typing->last<streams::Exit>() == streams::Exit{protocol::ExitCode{5}});
}

TEST_CASE("resume: a program that ends between two owners keeps its output and its exit code", "[guest][upgrade]") {
  streams::Stage stage;
  auto owner = Owner::first(stage);
  const auto stream = stage.open(shell("sleep 0.2; echo out; exit 9"));
  stage.accepted(*stream);
  siginfo_t dead{};
  ::waitid(P_PID, static_cast<id_t>(owner->sessions.keep().at(0).pid), &dead,
           WEXITED | WNOWAIT);   // the loop has not turned: nobody has seen it
  owner = Owner::after(stage, std::move(owner));
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->got[streams::Channel::out] == "out\n");
  CHECK(stream->last<streams::Exit>() == streams::Exit{protocol::ExitCode{9}});
}

TEST_CASE("resume: of a program that the owner before has reaped, only the end is known", "[guest][upgrade]") {
  streams::Stage stage;
  auto owner = Owner::first(stage);
  const auto stream = stage.open(shell("sleep 0.2; exit 9"));
  stage.accepted(*stream);
  ::waitpid(owner->sessions.keep().at(0).pid, nullptr, 0);
  owner = Owner::after(stage, std::move(owner));
  stage.until([&] { return stream->is_over(); });
  CHECK(std::holds_alternative<protocol::ExitUnknown>(stream->last<streams::Exit>()->status));
}

TEST_CASE("resume: a service goes on with its process, and its death is reported by the next owner", "[guest][upgrade]") {
  using protocol::ServiceState;
  supervisor::SupervisorScene scene;
  scene.service("web", "echo begun; echo >&3; sleep 1000", R"(,"restart":"always","ready":{"notify-fd":{"fd":3}})");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  REQUIRE(run_until(scene.loop, [&] { return scene.essentials_ready == 1 && scene.all_settled == 1; }));
  const auto before = scene.now("web");
  auto kept = scene.supervisor->keep();
  REQUIRE(kept.has_value());
  REQUIRE(kept->is_ready_told);
  for (auto& service : kept->services) {
    REQUIRE(service.run.has_value());
    copy(service.run->out_fd);
    copy(service.run->err_fd);
    for (auto& probe : service.run->probes) copy(probe.probe.fd);
  }
  const auto specs = service_spec::parse_service_specs(scene.sources);
  scene.supervisor = std::make_unique<supervisor::Supervisor>(scene.loop, scene.sink, scene.reaper, scene.options);
  scene.sink.services.clear();
  REQUIRE(scene.supervisor->resume(specs, *kept, {}).has_value());
  CHECK(scene.now("web") == before);
  CHECK(scene.sink.services.empty());   // nothing is told twice
  ::kill(static_cast<pid_t>(before.pid), SIGKILL);
  REQUIRE(run_until(scene.loop, [&] { return scene.now("web").restarts == 1 && scene.now("web").state == ServiceState::ready; }));
  REQUIRE(scene.sink.crashes.size() == 1);
  CHECK(std::get<protocol::ExitSignal>(scene.sink.crashes[0].exit).signal == SIGKILL);
  CHECK(scene.now("web").pid != before.pid);
}

TEST_CASE("resume: a process whose service has no file any more stands in the way", "[guest][upgrade]") {
  supervisor::KeptSupervisor kept;
  kept.services.emplace_back().name = "gone";
  CHECK(supervisor::check_resumable({}, kept).has_value());   // nothing runs
  kept.services[0].run.emplace().pid = 31;
  const auto checked = supervisor::check_resumable({}, kept);
  REQUIRE(checked.has_error());
  CHECK(checked.error().message().find("service gone runs, but its file is gone or wrong") == 0);
}

}  // namespace
}  // namespace vigil::guest

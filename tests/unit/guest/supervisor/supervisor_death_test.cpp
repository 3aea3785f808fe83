#include "guest/supervisor/restart_policy.hpp"
#include "tests/unit/guest/supervisor/supervisor_scene.hpp"

#include <unistd.h>

#include <csignal>

namespace vigil::guest::supervisor {
namespace {

using protocol::ServiceState;

constexpr const char* never = R"(,"restart":"never")";

std::string socat_listener(const std::string& name, const std::string& port, const std::string& rest) {
  return R"({"name":")" + name + R"(","exec":["/usr/bin/socat","TCP-LISTEN:)" + port + R"(,fork,bind=127.0.0.1","PIPE"])" + rest + "}";
}

TEST_CASE("supervisor: a crash is reported once, with cause, tails and the failed state after it", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "echo hello; echo the last line >&2; kill -SEGV $$", never);
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  REQUIRE(scene.sink.crashes.size() == 1);
  const protocol::CrashReport& crash = scene.sink.crashes[0];
  CHECK(crash.crash == "web-1");
  CHECK(crash.service == "web");
  CHECK(crash.process == "sh");
  CHECK(crash.pid > 0);
  CHECK(std::get<protocol::ExitSignal>(crash.exit).signal == SIGSEGV);
  CHECK(crash.cause.text == "service.signalled");
  CHECK(crash.stdout_tail == "hello\n");
  CHECK(crash.stderr_tail == "the last line\n");
  CHECK(crash.started_us > 0);
  CHECK(crash.ended_us > crash.started_us);
  CHECK_FALSE(crash.will_restart);
  CHECK(scene.now("web").cause->text == "service.signalled");
  CHECK(run_until(scene.loop, [&] { return scene.essential_failures == std::vector<std::string>{"web"}; }));   // told in a later turn
}

TEST_CASE("supervisor: a healthy service's replacement runs before its crash is told, and the crash is told before the replacement", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000", R"(,"restart":"always")");
  std::int64_t at_the_telling = 0;
  std::size_t told_before = 0;
  scene.sink.on_crash = [&](const protocol::CrashReport&) {
    at_the_telling = scene.now("web").pid;
    told_before = scene.sink.services.size();
  };
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  const auto first = static_cast<pid_t>(scene.now("web").pid);
  bool healthy = false;   // a second of health makes the next restart one without delay
  const LoopToken token = scene.loop.after(std::chrono::milliseconds(1100), [&] { healthy = true; });
  REQUIRE(run_until(scene.loop, [&] { return healthy; }));
  told_before = scene.sink.services.size();
  kill(first, SIGKILL);
  REQUIRE(scene.wait_for_crashes(1));
  CHECK(scene.sink.crashes[0].pid == first);
  CHECK(scene.sink.crashes[0].restarts == 0);
  CHECK(at_the_telling > 0);
  CHECK(at_the_telling != first);
  REQUIRE(scene.sink.services.size() > told_before);
  CHECK(scene.sink.services[told_before].pid == at_the_telling);
}

TEST_CASE("supervisor: a program that is not there is named and not tried again", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.raw("web", R"({"name":"web","exec":["/nonexistent/web"],"restart":"always"})");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  CHECK(scene.now("web").cause->text == "service.missing_binary");
  CHECK(protocol::field_text(*scene.now("web").cause, "path") == "/nonexistent/web");
  CHECK(scene.sink.crashes.size() == 1);
  CHECK(scene.reaper.orphans() == 0);
}

TEST_CASE("supervisor: a crash loop is stopped and keeps its first cause", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "echo x >> " + scene.file("starts") + "; exit $(wc -l < " + scene.file("starts") + ")",
                R"(,"restart":{"policy":"always","backoff_ms":1,"crash_loop":{"exits":3,"window_s":60}})");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  const protocol::ServiceReport report = scene.now("web");
  CHECK(report.cause->text == "service.crash_loop");
  CHECK(protocol::field_text(*report.cause, "first") == "service.exited");
  CHECK(report.cause->evidence[0] == "it exited with code 1");
  CHECK(report.restarts == 2);
  REQUIRE(scene.sink.crashes.size() == 3);
  CHECK(scene.sink.crashes[0].will_restart);
  CHECK(scene.sink.crashes[1].restarts == 1);
  CHECK_FALSE(scene.sink.crashes[2].will_restart);
  CHECK(protocol::field_text(scene.sink.crashes[2].cause, "code") == "3");
}

TEST_CASE("supervisor: the first crash after a healthy second is restarted at once", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  const protocol::ServiceReport before = scene.now("web");
  // The policy's second is what is tested here, so it has to pass.
  REQUIRE(run_until(scene.loop, [&] { return scene.loop.now_us() > before.since_us + healthy_us; }));
  kill(static_cast<pid_t>(before.pid), SIGKILL);
  REQUIRE(run_until(scene.loop, [&] { return scene.now("web").pid > 0 && scene.now("web").pid != before.pid; }));
  CHECK(scene.states_of("web") == std::vector<std::string>{"starting", "ready", "starting", "ready"});   // no backoff between
  CHECK(scene.now("web").restarts == 1);
  CHECK(scene.sink.crashes[0].will_restart);
}

TEST_CASE("supervisor: a port in foreign hands is named with its holder, from the program's own words", "[guest][supervisor]") {
  SupervisorScene scene;
  OwnPort taken;
  scene.raw("web", socat_listener("web", taken.port(), never));
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  const protocol::Cause& cause = scene.sink.crashes.at(0).cause;
  CHECK(cause.text == "service.port_taken");
  CHECK(protocol::field_text(cause, "port") == taken.port());
  CHECK(protocol::field_text(cause, "holder").value_or("").ends_with(" (pid " + std::to_string(getpid()) + ")"));
}

TEST_CASE("supervisor: a port held by another service is named after it", "[guest][supervisor]") {
  SupervisorScene scene;
  const std::string port = free_port();
  scene.raw("web", socat_listener("web", port, R"(,"ready":{"tcp":{"port":)" + port + "}}"));
  scene.raw("echo", socat_listener("echo", port, R"(,"after":["web"],"restart":"never")"));
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  REQUIRE(scene.wait_for("echo", ServiceState::failed));
  CHECK(protocol::field_text(scene.sink.crashes.at(0).cause, "holder") == "web (pid " + std::to_string(scene.now("web").pid) + ")");
}

TEST_CASE("supervisor: a silent program whose probed port is taken is told from one that just fails", "[guest][supervisor]") {
  SupervisorScene scene;
  OwnPort taken;
  scene.service("web", "exit 1", R"(,"restart":"never","ready":{"tcp":{"port":)" + taken.port() + "}}");
  scene.service("plain", "exit 1", R"(,"restart":"never","ready":{"tcp":{"port":)" + free_port() + "}}");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  REQUIRE(scene.wait_for("plain", ServiceState::failed));
  CHECK(scene.now("web").cause->text == "service.port_taken");
  CHECK(scene.now("plain").cause->text == "service.exited");
}

TEST_CASE("supervisor: an end with success before it is ready is early; with a child left it went into the background", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("early", "exit 0", R"(,"restart":"never","ready":{"notify-fd":{"fd":3}})");
  scene.service("daemon", "sleep 1000 & exit 0", R"(,"restart":"never","ready":{"notify-fd":{"fd":3}})");
  scene.start();
  REQUIRE(scene.wait_for("early", ServiceState::failed));
  REQUIRE(scene.wait_for("daemon", ServiceState::failed));
  CHECK(scene.now("early").cause->text == "service.exited_early");
  CHECK(scene.now("daemon").cause->text == "service.daemonised");
  CHECK(protocol::field_text(*scene.now("daemon").cause, "pid").value_or("0") != "0");
}

TEST_CASE("supervisor: children that a dead service left are killed before it starts again", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "if [ -e " + scene.file("again") + " ]; then exec sleep 1000; fi; echo > " + scene.file("again") + "; sleep 1000 & echo $! > " +
                           scene.file("child") + "; exit 1",
                R"(,"restart":{"policy":"always","backoff_ms":1})");
  scene.start();
  REQUIRE(run_until(scene.loop, [&] { return scene.now("web").restarts == 1 && scene.now("web").state == ServiceState::ready; }));
  std::ifstream file(scene.file("child"));
  pid_t child = 0;
  file >> child;
  REQUIRE(child > 0);
  CHECK(run_until(scene.loop, [&] { return kill(child, 0) != 0; }));
}

TEST_CASE("supervisor: what holds the pipes open or floods them does not delay the report of a death", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("flood", "cat /dev/zero & kill -KILL $$", never);
  scene.service("closed", "exec >&- 2>&-; exit 4", never);
  scene.start();
  REQUIRE(scene.wait_for("flood", ServiceState::failed));
  REQUIRE(scene.wait_for("closed", ServiceState::failed));
  for (const auto& crash : scene.sink.crashes) {
    CHECK(crash.stdout_tail.size() <= 64 * 1024);
    if (crash.service == "closed") CHECK(protocol::field_text(crash.cause, "code") == "4");
  }
}

TEST_CASE("supervisor: an orphan that dies of a fault is reported as nobody's crash", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "(sh -c 'sh -c \\\"kill -SEGV $$\\\"' &) ; exec sleep 1000");
  scene.start();
  REQUIRE(scene.wait_for_crashes(1));
  CHECK(scene.sink.crashes[0].service.empty());
  CHECK(scene.sink.crashes[0].cause.text == "service.signalled");
  CHECK(scene.now("web").state == ServiceState::ready);
}

}  // namespace
}  // namespace vigil::guest::supervisor

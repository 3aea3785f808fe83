#include "tests/unit/guest/supervisor/supervisor_scene.hpp"

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace vigil::guest::supervisor {
namespace {

using protocol::ServiceState;
using std::chrono::milliseconds;

std::string lines_of(const std::string& path) {
  std::ifstream file(path);
  std::string all, line;
  while (std::getline(file, line)) all += line + " ";
  return all;
}

/// A service that says when it is up and, asked to stop, writes its name down first.
std::string polite(const SupervisorScene& scene, const std::string& name) {
  return "trap 'echo " + name + " >> " + scene.file("order") + "; exit 0' TERM; echo >&3; while :; do read x < " + scene.file("never") + "; done";
}

constexpr const char* notified = R"(,"ready":{"notify-fd":{"fd":3}})";

TEST_CASE("supervisor: all stop, dependants before what they depend on, and no stop is a crash", "[guest][supervisor]") {
  SupervisorScene scene;
  REQUIRE(mkfifo(scene.file("never").c_str(), 0600) == 0);
  scene.service("db", polite(scene, "db"), notified);
  scene.service("app", polite(scene, "app"), std::string(notified) + R"(,"requires":["db"])");
  scene.service("web", polite(scene, "web"), std::string(notified) + R"(,"after":["app"])");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  REQUIRE(scene.stop(milliseconds(20'000)));
  CHECK(lines_of(scene.file("order")) == "web app db ");
  for (const char* name : {"db", "app", "web"}) CHECK(scene.now(name).state == ServiceState::stopped);
  CHECK(scene.sink.crashes.empty());
}

TEST_CASE("supervisor: who ignores the signal is killed after its grace and said to have been", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("deaf", "trap '' TERM; echo >&3; while :; do sleep 1000; done", std::string(notified) + R"(,"stop":{"signal":"SIGTERM","grace_s":0.1})");
  scene.start();
  REQUIRE(scene.wait_for("deaf", ServiceState::ready));
  REQUIRE(scene.supervisor->request(ServiceName("deaf"), ServiceAction::stop).has_value());
  REQUIRE(scene.wait_for("deaf", ServiceState::stopped));
  CHECK(scene.now("deaf").cause->text == "service.stop_timeout");
  CHECK(scene.sink.crashes.empty());
}

TEST_CASE("supervisor: stopping all takes no longer than its grace", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("deaf", "trap '' TERM; echo >&3; while :; do sleep 1000; done", std::string(notified) + R"(,"stop":{"signal":"SIGTERM","grace_s":3600})");
  scene.start();
  REQUIRE(scene.wait_for("deaf", ServiceState::ready));
  CHECK(scene.stop(milliseconds(100)));
  CHECK(scene.now("deaf").pid == 0);
}

TEST_CASE("supervisor: stopping everything ends waiting and backing off too", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("loop", "exit 1", R"(,"restart":{"policy":"always","backoff_ms":3600000,"backoff_max_ms":3600000})");
  scene.service("later", "exec sleep 1000", R"(,"requires":["loop"],"ready":{"notify-fd":{"fd":3}})");
  scene.start();
  REQUIRE(scene.wait_for("loop", ServiceState::backoff));
  REQUIRE(scene.stop(milliseconds(5000)));
  CHECK(scene.now("loop").state == ServiceState::stopped);
  CHECK(scene.now("later").state == ServiceState::stopped);
  CHECK(scene.supervisor->request(ServiceName("loop"), ServiceAction::start).error().code() == Errc::conflict);
}

TEST_CASE("supervisor: a service can be stopped, started and restarted by request", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  const auto first = scene.now("web").pid;
  REQUIRE(scene.supervisor->request(ServiceName("web"), ServiceAction::stop).has_value());
  REQUIRE(scene.wait_for("web", ServiceState::stopped));
  REQUIRE(scene.supervisor->request(ServiceName("web"), ServiceAction::start).has_value());
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  const auto second_pid = scene.now("web").pid;
  CHECK(second_pid != first);
  REQUIRE(scene.supervisor->request(ServiceName("web"), ServiceAction::restart).has_value());
  REQUIRE(run_until(scene.loop, [&] { return scene.now("web").pid > 0 && scene.now("web").pid != second_pid && scene.now("web").state == ServiceState::ready; }));
  CHECK(scene.sink.crashes.empty());
  CHECK(scene.now("web").restarts == 0);   // nobody died unasked
}

TEST_CASE("supervisor: a failed dependency that is started by hand brings back who waits for it", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("db", "test -e " + scene.file("mended") + " || exit 1; exec sleep 1000", R"(,"restart":"never","ready":{"exec":{"argv":["/usr/bin/test","-e",")" +
                                                                                              scene.file("mended") + R"("],"interval_ms":20}})");
  scene.service("web", "exec sleep 1000", R"(,"requires":["db"])");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  std::ofstream(scene.file("mended")) << "x";
  REQUIRE(scene.supervisor->request(ServiceName("db"), ServiceAction::start).has_value());
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  CHECK(scene.now("db").state == ServiceState::ready);
}

TEST_CASE("supervisor: a request for what is not there names what is", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000");
  scene.start();
  const auto answer = scene.supervisor->request(ServiceName("wbe"), ServiceAction::stop);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code() == Errc::not_found);
  CHECK(answer.error().message().find("web") != std::string::npos);
  CHECK(parse_service_action("restart") == ServiceAction::restart);
  CHECK(parse_service_action("reload") == ServiceAction::reload);
  CHECK_FALSE(parse_service_action("signal"));
}

TEST_CASE("supervisor: signals and reloads reach the process; what cannot be reloaded says so", "[guest][supervisor]") {
  SupervisorScene scene;
  const auto writes = [&](const char* name) { return std::string("echo x > ") + scene.file(name); };
  scene.service("web", "trap '" + writes("usr1") + "' USR1; trap '" + writes("hup") + "' HUP; " + writes("set") + "; while :; do sleep 0.02; done",
                R"(,"reload":{"signal":"SIGHUP"},"ready":{"file":{"path":")" + scene.file("set") + R"("}})");
  scene.service("plain", "exec sleep 1000");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  REQUIRE(scene.wait_for("plain", ServiceState::ready));
  REQUIRE(scene.supervisor->signal(ServiceName("web"), SIGUSR1).has_value());
  CHECK(run_until(scene.loop, [&] { return std::filesystem::exists(scene.file("usr1")); }));
  REQUIRE(scene.supervisor->request(ServiceName("web"), ServiceAction::reload).has_value());
  CHECK(run_until(scene.loop, [&] { return std::filesystem::exists(scene.file("hup")); }));
  CHECK(scene.now("web").state == ServiceState::ready);

  const auto refused = scene.supervisor->request(ServiceName("plain"), ServiceAction::reload);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Errc::unsupported);
  REQUIRE(scene.supervisor->request(ServiceName("plain"), ServiceAction::stop).has_value());
  REQUIRE(scene.wait_for("plain", ServiceState::stopped));
  CHECK(scene.supervisor->signal(ServiceName("plain"), SIGUSR1).error().code() == Errc::conflict);
  CHECK(scene.supervisor->signal(ServiceName("nobody"), SIGUSR1).error().code() == Errc::not_found);
}

}  // namespace
}  // namespace vigil::guest::supervisor

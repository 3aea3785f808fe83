#include "tests/unit/guest/supervisor/supervisor_scene.hpp"

#include <csignal>

namespace vigil::guest::supervisor {
namespace {

using protocol::ServiceState;

constexpr const char* up = "echo >&3; exec sleep 1000";
constexpr const char* says_up = R"(,"ready":{"notify-fd":{"fd":3}})";

/// db, app that restarts with it, page that restarts with app, log that only comes after db.
void four_services(SupervisorScene& scene) {
  scene.service("db", up, std::string(says_up) + R"(,"restart":"always")");
  scene.service("app", up, std::string(says_up) + R"(,"requires":["db"],"restart_with":["db"])");
  scene.service("page", up, std::string(says_up) + R"(,"after":["app"],"restart_with":["app"])");
  scene.service("log", up, std::string(says_up) + R"(,"after":["db"])");
  scene.start();
  for (const char* name : {"db", "app", "page", "log"}) REQUIRE(scene.wait_for(name, ServiceState::ready));
}

bool replaced(SupervisorScene& scene, const std::string& name, std::int64_t before) {
  return run_until(scene.loop, [&] { return scene.now(name).state == ServiceState::ready && scene.now(name).pid != before; });
}

TEST_CASE("supervisor: who asks for it is started anew with what it depends on, and so on along the chain, and nobody else", "[guest][supervisor]") {
  SupervisorScene scene;
  four_services(scene);
  const auto db = scene.now("db").pid, app = scene.now("app").pid, page = scene.now("page").pid, log = scene.now("log").pid;
  kill(static_cast<pid_t>(db), SIGKILL);
  CHECK(replaced(scene, "db", db));
  CHECK(replaced(scene, "app", app));
  CHECK(replaced(scene, "page", page));
  CHECK(scene.now("log").pid == log);
  CHECK(scene.sink.crashes.size() == 1);   // what was restarted along did not die
  const std::vector<std::string> states = scene.states_of("app");
  CHECK(std::find(states.begin(), states.end(), "waiting") != states.end());   // for db, before it started again
}

TEST_CASE("supervisor: a restart that was asked for takes the dependants along, a stop does not", "[guest][supervisor]") {
  SupervisorScene scene;
  four_services(scene);
  const auto db = scene.now("db").pid, app = scene.now("app").pid;
  REQUIRE(scene.supervisor->request(ServiceName("db"), ServiceAction::stop).has_value());
  REQUIRE(scene.wait_for("db", ServiceState::stopped));
  CHECK(scene.now("app").pid == app);
  REQUIRE(scene.supervisor->request(ServiceName("db"), ServiceAction::start).has_value());
  CHECK(replaced(scene, "db", db));
  CHECK(replaced(scene, "app", app));
}

}  // namespace
}  // namespace vigil::guest::supervisor

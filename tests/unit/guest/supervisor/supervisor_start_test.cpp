#include "tests/unit/guest/supervisor/supervisor_scene.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

namespace vigil::guest::supervisor {
namespace {

using protocol::ServiceState;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("supervisor: a service without probes is ready when it runs; the reports follow the states", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("one", "exec sleep 1000");
  scene.start();
  REQUIRE(scene.wait_for("one", ServiceState::ready));
  CHECK(scene.states_of("one") == std::vector<std::string>{"starting", "ready"});
  CHECK(scene.now("one").pid > 0);
  REQUIRE(run_until(scene.loop, [&] { return scene.all_settled > 0; }));
  CHECK(scene.essentials_ready == 1);
  CHECK(scene.all_settled == 1);
  CHECK(scene.essential_failures.empty());
}

TEST_CASE("supervisor: the output of a living service can be asked for; of a dead or unknown one the error says which", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("talker", "echo to-out; echo to-err >&2; exec sleep 1000");
  scene.service("gone", "exit 0", R"(,"essential":false,"restart":"never")");
  scene.start();
  REQUIRE(run_until(scene.loop, [&] {
    const auto output = scene.supervisor->output(ServiceName("talker"));
    return output && output->stdout_tail == "to-out\n" && output->stderr_tail == "to-err\n";
  }));
  REQUIRE(run_until(scene.loop, [&] { return scene.all_settled > 0; }));
  REQUIRE(run_until(scene.loop, [&] { return !scene.supervisor->output(ServiceName("gone")); }));   // it was ready, settled, and ends
  CHECK(scene.supervisor->output(ServiceName("gone")).error().code() == Errc::unavailable);
  CHECK(scene.supervisor->output(ServiceName("nobody")).error().message().find("talker") != std::string::npos);
}

TEST_CASE("supervisor: no services at all is ready and settled", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.start();
  CHECK(run_until(scene.loop, [&] { return scene.essentials_ready == 1 && scene.all_settled == 1; }));
}

TEST_CASE("supervisor: a service waits for what it comes after and says so", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("db", "read x < " + scene.file("gate") + "; echo >&3; exec sleep 1000", R"(,"ready":{"notify-fd":{"fd":3}})");
  scene.service("web", "exec sleep 1000", R"(,"requires":["db"])");
  REQUIRE(mkfifo(scene.file("gate").c_str(), 0600) == 0);
  scene.start();
  REQUIRE(scene.wait_for("db", ServiceState::starting));
  CHECK(scene.now("web").state == ServiceState::waiting);
  CHECK(scene.now("web").waits_for == std::vector<std::string>{"db"});
  CHECK(scene.essentials_ready == 0);
  std::ofstream(scene.file("gate")) << "go\n";
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  CHECK(scene.states_of("web") == std::vector<std::string>{"waiting", "starting", "ready"});
  const protocol::ServiceReport db = scene.now("db");
  REQUIRE(db.probes.size() == 1);
  CHECK(db.probes[0].passed);
  CHECK(db.probes[0].passed_us);
}

TEST_CASE("supervisor: what requires a service that gives up fails with its name; what only comes after it starts", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.raw("db", R"({"name":"db","exec":["/nonexistent/db"]})");
  scene.service("web", "exec sleep 1000", R"(,"requires":["db"])");
  scene.service("tail", "exec sleep 1000", R"(,"after":["db"])");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  CHECK(scene.now("web").cause->text == "service.dependency_failed");
  CHECK(protocol::field_text(*scene.now("web").cause, "dependency") == "db");
  REQUIRE(scene.wait_for("tail", ServiceState::ready));
  CHECK(run_until(scene.loop, [&] { return scene.all_settled == 1; }));
  CHECK(scene.essentials_ready == 0);
  CHECK(scene.essential_failures == std::vector<std::string>{"db", "web"});
}

TEST_CASE("supervisor: an optional service that fails does not keep the others from being ready", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.raw("extra", R"({"name":"extra","exec":["/nonexistent/x"],"essential":false})");
  scene.service("web", "exec sleep 1000");
  scene.start();
  REQUIRE(run_until(scene.loop, [&] { return scene.essentials_ready == 1 && scene.all_settled == 1; }));
  CHECK(scene.essential_failures.empty());
  CHECK(scene.now("extra").state == ServiceState::failed);
}

TEST_CASE("supervisor: wrong files are failed services beside those that run", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.raw("bad", R"({"name":"bad","exec":["/bin/true"],"exce":1})");
  scene.service("web", "exec sleep 1000", R"(,"requires":["bad"])");
  scene.service("good", "exec sleep 1000");
  scene.start();
  REQUIRE(scene.wait_for("good", ServiceState::ready));
  CHECK(scene.now("bad").cause->text == "service.spec_invalid");
  CHECK(scene.now("web").cause->text == "service.dependency_failed");
}

TEST_CASE("supervisor: one-shot services end stopped and satisfy what requires them", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("setup", "exit 0");
  scene.service("web", "exec sleep 1000", R"(,"requires":["setup"])");
  scene.start();
  REQUIRE(scene.wait_for("setup", ServiceState::stopped));
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  CHECK(run_until(scene.loop, [&] { return scene.essentials_ready == 1; }));
  CHECK(scene.sink.crashes.empty());
}

TEST_CASE("supervisor: environment, directory and secrets reach the service", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.options.env = {{"A", "all"}, {"B", "all"}};
  scene.options.secrets = {{"key", "hunter2"}, {"other", "not yours"}};
  scene.service("env", "echo $A $B $HOME $(pwd) $(cat $CREDENTIALS_DIRECTORY/key) $(ls $CREDENTIALS_DIRECTORY) $(stat -c %a $CREDENTIALS_DIRECTORY/key) > " +
                           scene.file("seen") + "; exec sleep 1000",
                R"(,"env":{"B":"own"},"cwd":"/usr","secrets":["key"])");
  scene.start();
  REQUIRE(run_until(scene.loop, [&] { return read_file(scene.file("seen")).ends_with("\n"); }));
  CHECK(read_file(scene.file("seen")) == "all own /root /usr hunter2 key 400\n");
}

TEST_CASE("supervisor: a secret that the VM was not given is named", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000", R"(,"secrets":["token"])");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  CHECK(scene.now("web").cause->text == "service.secret_unreadable");
  CHECK(protocol::field_text(*scene.now("web").cause, "name") == "token");
}

TEST_CASE("supervisor: a user that does not exist is an error of the file", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000", R"(,"user":"nosuchuser")");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  CHECK(scene.now("web").cause->text == "service.spec_invalid");
  CHECK(protocol::field_text(*scene.now("web").cause, "key") == "user");
}

TEST_CASE("supervisor: a deadline that passes names the probe, and the service may still become ready", "[guest][supervisor]") {
  SupervisorScene scene;
  REQUIRE(mkfifo(scene.file("gate").c_str(), 0600) == 0);
  scene.service("slow", "read x < " + scene.file("gate") + "; echo >&5; exec sleep 1000", R"(,"ready":{"notify-fd":{"fd":5}},"ready_timeout_s":0.2)");
  scene.service("web", "exec sleep 1000", R"(,"requires":["slow"])");
  scene.start();
  REQUIRE(scene.wait_for("slow", ServiceState::failed));
  CHECK(scene.now("slow").cause->text == "service.ready_timeout");
  CHECK(protocol::field_text(*scene.now("slow").cause, "probe") == "notify-fd");
  REQUIRE(scene.wait_for("web", ServiceState::failed));
  CHECK(scene.sink.crashes.empty());
  std::ofstream(scene.file("gate")) << "go\n";
  REQUIRE(scene.wait_for("slow", ServiceState::ready));
  CHECK_FALSE(scene.now("slow").cause);
  CHECK(scene.wait_for("web", ServiceState::ready));
}

TEST_CASE("supervisor: the deadline is multiplied by the scale", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.options.deadline_scale = 1000;
  scene.service("slow", "sleep 0.3; echo >&3; exec sleep 1000", R"(,"ready":{"notify-fd":{"fd":3}},"ready_timeout_s":0.1)");
  scene.start();
  REQUIRE(scene.wait_for("slow", ServiceState::ready));
  CHECK(scene.states_of("slow") == std::vector<std::string>{"starting", "ready"});
}

TEST_CASE("supervisor: a health probe that fails makes a service unready, one that passes ready again", "[guest][supervisor]") {
  SupervisorScene scene;
  scene.service("web", "exec sleep 1000",
                R"(,"health":{"probe":{"exec":{"argv":["/usr/bin/test","!","-e",")" + scene.file("sick") + R"("],"interval_ms":10}},"interval_s":0.5,"failures":2})");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  std::ofstream(scene.file("sick")) << "x";
  REQUIRE(scene.wait_for("web", ServiceState::unready));
  CHECK(scene.now("web").cause->text == "service.unhealthy");
  std::filesystem::remove(scene.file("sick"));
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  CHECK_FALSE(scene.now("web").cause);
}

TEST_CASE("supervisor: an unhealthy service says what its probe met, and is left alone", "[guest][supervisor]") {
  SupervisorScene scene;
  const OwnPort holder;
  scene.service("web", "exec sleep 1000", R"(,"health":{"probe":{"tcp":{"port":)" + holder.port() + R"(}},"interval_s":0.1,"failures":2})");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::unready));
  const auto report = scene.now("web");
  CHECK(report.cause.value().text == "service.unhealthy");
  CHECK(protocol::field_text(*report.cause, "probe") == "tcp:" + holder.port());
  REQUIRE_FALSE(report.cause->evidence.empty());
  CHECK(report.cause->evidence[0].starts_with("service.port_taken: "));
  CHECK(report.restarts == 0);
  CHECK(report.pid > 0);
  CHECK(scene.sink.crashes.empty());
}

TEST_CASE("supervisor: an unhealthy service is restarted when its file says so, and the death tells why", "[guest][supervisor]") {
  SupervisorScene scene;
  const std::string trap = GENERATE(as<std::string>(), "exec sleep 1000", "trap 'exit 0' TERM; while :; do sleep 0.02; done", "trap '' TERM; while :; do sleep 0.02; done");
  scene.service("web", trap, R"(,"health":{"probe":{"exec":{"argv":["/usr/bin/test","!","-e",")" + scene.file("sick") +
                                 R"("]}},"interval_s":0.2,"failures":1,"restart":true},"stop":{"grace_s":0.3})");
  scene.start();
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  const auto first = scene.now("web").pid;
  std::ofstream(scene.file("sick")) << "x";
  REQUIRE(scene.wait_for_crashes(1));
  std::filesystem::remove(scene.file("sick"));
  CHECK(scene.sink.crashes[0].cause.text == "service.unhealthy");
  CHECK(scene.sink.crashes[0].will_restart);
  REQUIRE(scene.wait_for("web", ServiceState::ready));
  CHECK(scene.now("web").pid != first);
  CHECK(scene.now("web").restarts == 1);
  CHECK_FALSE(scene.now("web").cause);
}

}  // namespace
}  // namespace vigil::guest::supervisor

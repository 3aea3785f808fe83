#include "guest/control/view.hpp"
#include "guest/agent/diagnosis.hpp"
#include "shared/json/json.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

namespace vigil::guest {

using protocol::ServiceReport;
using protocol::ServiceState;

namespace {

ServiceReport service_in(const std::string& name, ServiceState state, std::optional<protocol::Cause> cause = {}, bool essential = true) {
  ServiceReport report;
  report.name = ServiceName(name);
  report.state = state;
  report.essential = essential;
  report.cause = std::move(cause);
  return report;
}

nlohmann::json diagnosis_of(std::vector<ServiceReport> services, bool was_ready) {
  agent::Diagnosis diagnosis;
  diagnosis.link = "up";
  diagnosis.now_us = 12'345'678;
  diagnosis.services = std::move(services);
  diagnosis.was_ready = was_ready;
  diagnosis.health.memory_total_kib = 245'760;
  diagnosis.health.memory_available_kib = 122'880;
  diagnosis.health.memory_peak_kib = 153'600;
  diagnosis.health.file_systems = {{"/", 1024 * 1024, 512 * 1024, 0, 0}};
  diagnosis.net.listeners = {{"web", "httpd", 41, "0.0.0.0", 8080}};
  return parse_json(agent::to_json(diagnosis)).value();
}

protocol::Cause exited() {
  return protocol::make_cause(protocol::CauseCode::service_exited, {{"code", std::int64_t{7}}}, {"stderr: \x1b[31mbroken"});
}

}  // namespace

TEST_CASE("inside view: the state follows the contracts' table", "[guest][control]") {
  using agent::state_of;
  CHECK(state_of({}, true) == "ready");
  CHECK(state_of({service_in("a", ServiceState::starting)}, false) == "booting");
  CHECK(state_of({service_in("a", ServiceState::unready, exited())}, true) == "unready");
  CHECK(state_of({service_in("a", ServiceState::ready), service_in("b", ServiceState::failed, exited(), false)}, true) == "degraded");
  CHECK(state_of({service_in("a", ServiceState::failed, exited()), service_in("b", ServiceState::ready)}, true) == "failed");
  CHECK(state_of({service_in("a", ServiceState::stopped)}, true) == "ready");   // it ended with success
}

TEST_CASE("inside view: status shows state, memory, disks, services and ports", "[guest][control]") {
  auto web = service_in("web", ServiceState::ready);
  web.pid = 41;
  web.probes = {{"http:8080", true, 5}};
  const std::string text = control::status_text(diagnosis_of({web, service_in("db", ServiceState::failed, exited(), false)}, true));
  CHECK(text.find("state   degraded, link up, up 12 s\n") != std::string::npos);
  CHECK(text.find("memory  120 MiB of 240 MiB in use, at most 150 MiB\n") != std::string::npos);
  CHECK(text.find("disk    /: 512 MiB of 1024 MiB free\n") != std::string::npos);
  CHECK(text.find("web      ready   41   0         yes        http:8080\n") != std::string::npos);
  CHECK(text.find("service.exited: it exited with code 7") != std::string::npos);
  CHECK(text.find("8080  0.0.0.0  web      httpd (pid 41)\n") != std::string::npos);
}

TEST_CASE("inside view: why names the first cause first, with evidence and mend, safe for a terminal", "[guest][control]") {
  const auto derived = protocol::make_cause(protocol::CauseCode::service_dependency_failed, {{"dependency", "web"}});
  const std::string text = control::why_text(
      diagnosis_of({service_in("ui", ServiceState::failed, derived), service_in("web", ServiceState::failed, exited())}, false));
  CHECK(text.starts_with(
      "this VM is failed\n  service web\n  service.exited: it exited with code 7\n    | stderr: \\x1b[31mbroken\n    -> "));
  CHECK(text.find("also:\n  service ui\n  service.dependency_failed") != std::string::npos);
  auto slow = service_in("slow", ServiceState::starting);
  slow.probes = {{"tcp:80", false, {}}};
  CHECK(control::why_text(diagnosis_of({slow}, false)) == "this VM is booting\n  slow is starting: tcp:80(waiting)\n");
  CHECK(control::why_text(nlohmann::json::array()) == "this VM is \n");   // whatever an agent of another version says
}

}  // namespace vigil::guest

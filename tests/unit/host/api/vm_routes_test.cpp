// The routes for VMs that clients of the earlier service speak.
#include "tests/unit/host/api/api_scene.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::api::test {

using nlohmann::json;

namespace {
json got(Fixture& fixture, const std::string& path, int status = 200) {
  const auto response = fixture.ask(http::Method::get, path);
  CHECK(response.status == status);
  return json::parse(response.body);
}
}  // namespace

TEST_CASE("vm routes: VMs in the old shape, chosen by status and type, counted", "[host][api]") {
  Fixture fixture;
  CHECK(got(fixture, "/api/vms")["vms"] == json::array());
  CHECK(got(fixture, "/api/vms/demo", 404)["error"].is_string());
  fixture.add_instance();
  const auto vms = got(fixture, "/api/vms")["vms"];
  REQUIRE(vms.size() == 1);
  CHECK(vms[0]["vmId"] == fixture.id.value());
  CHECK(vms[0]["status"] == "stopped");
  CHECK(vms[0]["vmType"] == "minimal");
  CHECK(vms[0]["ipAddress"].is_null());
  CHECK(vms[0]["createdAt"].get<std::string>().ends_with("Z"));
  CHECK(got(fixture, "/api/vms?status=running")["vms"] == json::array());
  CHECK(got(fixture, "/api/vms?status=stopped&type=minimal&excludeDestroyed=true")["vms"].size() == 1);
  CHECK(got(fixture, "/api/vms/statistics/summary") == json::parse(R"({"total":1,"byStatus":{"stopped":1},"byType":{"minimal":1}})"));
  CHECK(got(fixture, "/api/vms/demo")["vm"] == vms[0]);
}

TEST_CASE("vm routes: what a running VM has told of itself", "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  auto& run = fixture.control.looks.front().state.run.emplace();
  run.link_is_up = true;
  run.vitals = protocol::HealthReport{};
  run.vitals->memory_total_kib = 1000;
  run.vitals->memory_available_kib = 250;
  run.vitals->load1_permille = 500;
  const auto vm = got(fixture, "/api/vms/demo")["vm"];
  CHECK(vm["memoryUsage"] == 75.0);
  CHECK(vm["cpuUsage"] == 50.0);
  CHECK(vm["lastHeartbeat"].is_string());
}

TEST_CASE("vm routes: what somebody tells of a VM is taken, and is not what is known of it", "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  const auto told = fixture.ask(http::Method::post, "/api/vms/demo/heartbeat", R"({"cpuUsage":99,"memoryUsage":99})");
  CHECK(told.status == 200);
  CHECK(json::parse(told.body) == json::parse(R"({"success":true,"lastHeartbeat":null})"));
  CHECK(got(fixture, "/api/vms/demo")["vm"]["cpuUsage"].is_null());
  fixture.control.looks.front().state.run.emplace().link_is_up = true;
  CHECK(json::parse(fixture.ask(http::Method::post, "/api/vms/demo/heartbeat").body)["lastHeartbeat"].is_string());
  CHECK(fixture.ask(http::Method::post, "/api/vms/demo/heartbeat", "[]").status == 400);
  fixture.control.looks.clear();
  CHECK(fixture.ask(http::Method::post, "/api/vms/demo/heartbeat").status == 404);
}

TEST_CASE("vm routes: console and diagnostics give the last lines and why", "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  got(fixture, "/api/admin/vm/demo/console", 404);   // never started
  fixture.control.looks.front().state.run.emplace();
  CHECK(got(fixture, "/api/admin/vm/demo/console")["console"].get<std::string>().find("boot") != std::string::npos);
  const auto told = got(fixture, "/api/vms/demo/diagnostics?lines=5");
  CHECK(told["vmDirExists"] == true);
  CHECK(told["sizes"]["console"] == 8);
  CHECK(told["why"].is_object());
  for (const auto* wrong : {"0", "x", "-1", "1x"}) got(fixture, std::string("/api/vms/demo/diagnostics?lines=") + wrong, 400);
}

TEST_CASE("vm routes: health and ping", "[host][api]") {
  Fixture fixture;
  CHECK(got(fixture, "/health")["status"] == "healthy");
  CHECK(got(fixture, "/api/auth/health")["timestamp"].is_string());
  CHECK(got(fixture, "/api/debug/ping")["message"] == "pong");
}

}  // namespace vigil::api::test

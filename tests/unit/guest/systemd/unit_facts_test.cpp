#include "guest/systemd/unit_facts.hpp"
#include "guest/systemd/units.hpp"

#include "tests/unit/guest/dbus/wire_builder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>

namespace vigil::guest::systemd {

using protocol::ServiceState;
using vigil::guest::dbus::BodyReader;
using vigil::guest::dbus::test::Wire;

namespace {

UnitFacts facts_of(const Wire& wire) {
  UnitFacts facts;
  BodyReader reader(wire.bytes(), "a{sv}");
  take_properties(facts, reader);
  REQUIRE_FALSE(reader.failed());
  return facts;
}

UnitFacts in_state(const char* active, const char* sub, std::uint32_t job = 0) {
  UnitFacts facts;
  facts.active_state = active;
  facts.sub_state = sub;
  facts.job = job;
  return facts;
}

}  // namespace

TEST_CASE("unit facts: properties are taken by name and type, others are passed over", "[guest][systemd]") {
  Wire wire;
  wire.array(8, [](Wire& entries) {
    entries.text_entry("Id", "web.service").text_entry("ActiveState", "failed").text_entry("Unheard", "x");
    entries.entry("Job", "(uo)", [](Wire& job) { job.align(8).u(41).s("/job/41"); });
    entries.entry("NRestarts", "u", [](Wire& value) { value.u(5); });
    entries.entry("ExecMainStatus", "i", [](Wire& value) { value.i(7); });
    entries.entry("MainPID", "s", [](Wire& value) { value.s("not a number"); });
    entries.entry("Wants", "as", [](Wire& value) { value.array(4, [](Wire& list) { list.s("a.service").s("b.target"); }); });
    entries.entry("InvocationID", "ay", [](Wire& value) { value.array(1, [](Wire& list) { list.y(0xab).y(0x0c); }); });
    entries.entry("ExecStart", "a(sasbttttuii)", [](Wire& value) {
      value.array(8, [](Wire& list) {
        list.align(8)
            .s("/usr/bin/busybox")
            .array(4, [](Wire& words) { words.s("busybox").s("httpd"); })
            .u(0)
            .t(0)
            .t(0)
            .t(0)
            .t(0)
            .u(0)
            .i(0)
            .i(0);
      });
    });
  });
  const auto facts = facts_of(wire);
  REQUIRE(facts.id == "web.service");
  REQUIRE(facts.active_state == "failed");
  REQUIRE(facts.job == 41);
  REQUIRE(facts.restarts == 5);
  REQUIRE(facts.exec_status == 7);
  REQUIRE(facts.main_pid == 0);
  REQUIRE(facts.wants == std::vector<std::string>{"a.service", "b.target"});
  REQUIRE(facts.invocation == "ab0c");
  REQUIRE(facts.program == "/usr/bin/busybox");
}

TEST_CASE("unit facts: systemd's states in our words", "[guest][systemd]") {
  const auto [active, sub, job, wanted] = GENERATE(table<const char*, const char*, std::uint32_t, ServiceState>({
      {"active", "running", 0, ServiceState::ready},
      {"active", "exited", 0, ServiceState::ready},
      {"reloading", "reload", 3, ServiceState::ready},
      {"activating", "start", 3, ServiceState::starting},
      {"activating", "auto-restart", 0, ServiceState::backoff},
      {"activating", "auto-restart-queued", 9, ServiceState::backoff},
      {"deactivating", "stop-sigterm", 4, ServiceState::stopping},
      {"inactive", "dead", 4, ServiceState::waiting},
      {"inactive", "dead", 0, ServiceState::stopped},
      {"failed", "failed", 0, ServiceState::failed},
      {"failed", "failed", 8, ServiceState::waiting},
  }));
  CAPTURE(active, sub, job);
  REQUIRE(state_of(in_state(active, sub, job)) == wanted);
}

TEST_CASE("unit facts: a start limit is seen although the result of the last run hides it", "[guest][systemd]") {
  auto facts = in_state("failed", "failed");
  facts.result = "exit-code";
  facts.restart = "on-failure";
  facts.start_limit_burst = 5;
  facts.start_limit_interval_us = 10'000'000;
  facts.restarts = 4;
  REQUIRE(reached_start_limit(facts));
  SECTION("fewer starts are none") { facts.restarts = 3; }
  SECTION("nor is it one where nothing restarts") { facts.restart = "no"; }
  SECTION("nor without a limit") { facts.start_limit_interval_us = 0; }
  SECTION("nor while it lives") { facts.active_state = "active"; }
  REQUIRE_FALSE(reached_start_limit(facts));
}

TEST_CASE("unit facts: the end is told with what systemd could not do", "[guest][systemd]") {
  UnitFacts facts;
  facts.exec_pid = 12;
  facts.exec_code = CLD_EXITED;
  facts.exec_status = 203;
  facts.result = "exit-code";
  facts.program = "/opt/gone";
  REQUIRE(describe_end(facts) == "result exit-code: ended with code 203 (the program could not be executed: /opt/gone)");
  facts.exec_code = CLD_DUMPED;
  facts.exec_status = SIGSEGV;
  REQUIRE(exit_of(facts) == protocol::ExitStatus(protocol::ExitSignal{SIGSEGV, true}));
}

TEST_CASE("unit facts: names of units as names of services, devices and objects", "[guest][systemd]") {
  REQUIRE(service_name_of("web.service") == "web");
  REQUIRE(service_name_of("getty@tty1.service") == "getty-tty1");
  REQUIRE(service_name_of("multi-user.target") == "multi-user.target");
  REQUIRE(service_name_of("Camel.service") == "camel");
  REQUIRE(service_name_of("-.mount") == "mount");
  REQUIRE(service_name_of(".service").empty());
  REQUIRE(device_of("dev-vdz.device") == "/dev/vdz");
  REQUIRE(device_of("dev-disk-by\\x2dlabel-x\\x20y.device") == "/dev/disk/by-label/x y");
  REQUIRE_FALSE(device_of("data.mount"));
  REQUIRE(object_path_of("web.service") == "/org/freedesktop/systemd1/unit/web_2eservice");
  REQUIRE(object_path_of("9p.service") == "/org/freedesktop/systemd1/unit/_39p_2eservice");
  REQUIRE(unit_of_cgroup("/system.slice/web.service/worker") == "web.service");
  REQUIRE(unit_of_cgroup("/").empty());
}

TEST_CASE("unit facts: a unit's own file says whether it is adopted and whether it matters", "[guest][systemd]") {
  REQUIRE(parse_wishes("[Service]\nEssential=no\nAdopt=no\n") == UnitWishes{});
  REQUIRE(parse_wishes("[Unit]\n[X-Vigil]\n Essential = no \n# Adopt=no\n[Install]\nAdopt=no") == UnitWishes{true, false});
  REQUIRE(parse_wishes("[X-Vigil]\r\nAdopt=false\r\n") == UnitWishes{false, true});
}

}  // namespace vigil::guest::systemd

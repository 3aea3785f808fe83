// QMP's lines as QEMU writes them.
#include "host/vmm/qemu/qmp_message.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace vigil;
using namespace vigil::vmm;
using namespace vigil::vmm::qemu;

TEST_CASE("qmp: greeting, replies, errors and events are told apart", "[host][vmm]") {
  const std::pair<std::string, QmpMessage> cases[] = {
      {R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}})", Greeting{"7.2.22"}},
      {R"({"return": {}, "id": 5})", Reply{5, "{}", std::nullopt}},
      {R"({"id": 6, "error": {"class": "CommandNotFound", "desc": "The command fly has not been found"}})",
       Reply{6, "", "CommandNotFound: The command fly has not been found"}},
      {R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}})",
       VmmEvent(ShutdownSeen{true, "guest-reset"})},
      {R"({"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-signal"}})", VmmEvent(ShutdownSeen{false, "host-signal"})},
      {R"({"event": "RESET", "data": {"guest": true, "reason": "guest-reset"}})", VmmEvent(ResetSeen{true, "guest-reset"})},
      {R"({"event": "GUEST_PANICKED", "data": {"action": "poweroff"}})", VmmEvent(PanicSeen{"poweroff"})},
      {R"({"event": "STOP"})", VmmEvent(PauseSeen{})},
      {R"({"event": "RESUME"})", VmmEvent(ResumeSeen{})},
      {R"({"event": "POWERDOWN"})", Ignored{}},
      {R"({"event": "SHUTDOWN"})", VmmEvent(ShutdownSeen{false, ""})},
      {R"({"something": "new"})", Ignored{}},
  };
  for (const auto& [line, expected] : cases) {
    const auto message = parse_message(line);
    REQUIRE(message);
    CHECK(*message == expected);
  }
}

TEST_CASE("qmp: what is no QMP is a protocol error or an invalid reply, never a crash", "[host][vmm]") {
  const std::string line = GENERATE(std::string(""), std::string("hello"), std::string("[]"), std::string("{\"QMP\": 5}"),
                                    std::string("{\"QMP\": {\"version\": {\"qemu\": 7}}}"), std::string("{\"error\": 5}"), std::string("{\"return\": 1, \"id\": -1}"),
                                    std::string(200, '['));
  CHECK_FALSE(parse_message(line));
}

TEST_CASE("qmp: commands are one line, and the run state is read from its reply", "[host][vmm]") {
  CHECK(make_command("query-status", 3) == "{\"execute\":\"query-status\",\"id\":3}\n");
  CHECK(*parse_run_state(R"({"status": "guest-panicked", "running": false})") == "guest-panicked");
  CHECK_FALSE(parse_run_state("{}"));
}

TEST_CASE("qmp: the log names the last shutdown's reason", "[host][vmm]") {
  CHECK(reason_in_log("qemu_system_shutdown_request reason=7\n2026-11-22 qemu_system_shutdown_request reason=6\n") == "guest-shutdown");
  CHECK(reason_in_log("123@456:qemu_system_shutdown_request reason=8\n") == "guest-panic");
  CHECK(reason_in_log("qemu_system_shutdown_request reason=99\n").empty());
  CHECK(reason_in_log("qemu_system_shutdown_request reason=\n").empty());
  CHECK(reason_in_log("nothing of the kind").empty());
}

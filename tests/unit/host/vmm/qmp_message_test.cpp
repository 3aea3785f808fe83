// QMP's lines as QEMU writes them.
#include "host/vmm/qemu/qmp_message.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::vmm {

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

TEST_CASE("qmp: arguments are part of the command, and registers tell where a processor stands", "[host][vmm]") {
  CHECK(make_command("x", 3, R"({"command-line":"info registers -a"})") == "{\"arguments\":{\"command-line\":\"info registers -a\"},\"execute\":\"x\",\"id\":3}\n");
  const auto processors = parse_registers(R"("\r\nCPU#0\r\nRAX=0000000000000001 RBX=0\r\nRIP=ffffffffc0401008 RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n)"
                                          R"(ES =0000\r\n\r\nCPU#1\r\nRIP=ffffffff81c0a0cb RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n")");
  REQUIRE(processors);
  CHECK(*processors == std::vector<Processor>{{0xffffffffc0401008, true, false}, {0xffffffff81c0a0cb, false, true}});
  CHECK(parse_registers(R"("CPU#0 EIP=0000fff0 EFL=00000002 HLT=0")")->front() == Processor{0xfff0, true, false});
  CHECK(parse_registers(R"("CPU#0 PC=0000000040000000 PSTATE=000003c5")")->empty());
  CHECK(parse_registers(R"("CPU#CPU#RIP=zz RFL=")")->empty());
  CHECK_FALSE(parse_registers("{}"));
}

TEST_CASE("qmp: the log names the last shutdown's reason", "[host][vmm]") {
  CHECK(reason_in_log("qemu_system_shutdown_request reason=7\n2026-11-22 qemu_system_shutdown_request reason=6\n") == "guest-shutdown");
  CHECK(reason_in_log("123@456:qemu_system_shutdown_request reason=8\n") == "guest-panic");
  CHECK(reason_in_log("qemu_system_shutdown_request reason=99\n").empty());
  CHECK(reason_in_log("qemu_system_shutdown_request reason=\n").empty());
  CHECK(reason_in_log("nothing of the kind").empty());
  CHECK(reason_in_log("2026-11-28T03:50:01.1Z qemu-system-x86_64: terminating on signal 15 from pid 4711 (kill)\n") == "host-signal");
}

}  // namespace vigil::vmm

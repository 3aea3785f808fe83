// What Firecracker says (version, answers, faults, exit codes), and what the jailer is told.
#include "host/vmm/firecracker/exit_code.hpp"
#include "host/vmm/firecracker/fault.hpp"
#include "host/vmm/firecracker/jailer.hpp"
#include "host/vmm/firecracker/version.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::vmm {
using namespace vigil::vmm::firecracker;

using protocol::CauseCode;

TEST_CASE("firecracker version: read from the program and the API, and what follows from it", "[host][vmm]") {
  CHECK(*parse_version("Firecracker v1.16.1") == Version{1, 16, 1});
  CHECK(*parse_version("1.17.0-dev") == Version{1, 17, 0});
  for (const auto* text : {"", "Firecracker", "QEMU emulator version 7.2.22", "1.2", "1.x.3", "Firecracker v99999999999.1.1"})
    CHECK_FALSE(parse_version(text));
  CHECK_FALSE(has_serial({1, 13, 9}));
  CHECK(has_serial({1, 14, 0}));
  CHECK(survives_bare_pause({1, 15, 2}));
  CHECK_FALSE(survives_bare_pause({1, 16, 1}));
  CHECK(survives_bare_pause({1, 17, 0}));
  CHECK(ask_version("/bin/true").error().code() == Errc::unavailable);
}

TEST_CASE("firecracker fault: what was refused, and why, becomes a cause with Firecracker's words", "[host][vmm]") {
  struct Case {
    const char* path;
    const char* fault;
    CauseCode code;
    const char* subject;
  };
  const Case cases[] = {
      {"/boot-source", "The kernel file cannot be opened: No such file or directory (os error 2)", CauseCode::boot_kernel_invalid,
       "/img/kernel"},
      {"/boot-source", "The initrd file cannot be opened due to invalid path or invalid permissions.", CauseCode::boot_initrd_invalid,
       "/img/initrd"},
      {"/boot-source", "The kernel command line is invalid: the command line is too large", CauseCode::vmm_start_failed, "command line"},
      {"/actions", "Cannot load kernel due to invalid memory configuration or invalid kernel image: Invalid ELF magic",
       CauseCode::boot_kernel_invalid, "/img/kernel"},
      {"/actions", "Cannot create guest memory: mmap: Cannot allocate memory (os error 12)", CauseCode::vmm_start_failed, "memory"},
      {"/actions", "Invalid ELF magic number", CauseCode::boot_kernel_invalid, "/img/kernel"},
      {"/actions", "Error creating KVM object: No such file or directory (os error 2)", CauseCode::vmm_start_failed, "KVM"},
      {"/vsock", "Error binding to the host-side Unix socket: Address in use (os error 98)", CauseCode::vmm_start_failed, "PUT /vsock"}};
  const BootOrders orders{{}, "/img/kernel", "/img/initrd"};
  for (const auto& row : cases) {
    const auto cause = cause_of_fault({"PUT", row.path, "{}"}, row.fault, orders);
    INFO(row.fault);
    CHECK(cause.code == row.code);
    CHECK(protocol::sentence(cause).find(row.subject) != std::string::npos);
    REQUIRE_FALSE(cause.evidence.empty());
    CHECK(cause.evidence[0] == std::string("Firecracker: ") + row.fault);
  }
}

TEST_CASE("firecracker answers: done, refused, and what is neither", "[host][vmm]") {
  CHECK_FALSE(fault_of({204, ""}));
  CHECK_FALSE(fault_of({200, "{}"}));
  CHECK(*fault_of({400, R"({"fault_message": "no"})"}) == "no");
  for (const auto* body : {"", "no", "[]", "{}", R"({"fault_message": 1})", R"({"fault_message": ""})"})
    CHECK(*fault_of({400, body}) == "status 400 without a fault_message");
  const std::string endless = std::string("{\"fault_message\": \"") + std::string(4000, 'x') + "\"}";
  CHECK(fault_of({400, endless})->size() == 1024);
  CHECK(*parse_instance_state(R"({"id":"a","state":"Not started"})") == "Not started");
  CHECK(parse_instance_state("[1]").error().code() == Errc::protocol);
  CHECK(*parse_version_answer(R"({"firecracker_version":"1.15.1"})") == "1.15.1");
  CHECK(parse_version_answer("{}").error().code() == Errc::protocol);
}

TEST_CASE("firecracker exit: codes have a meaning, signals speak for themselves", "[host][vmm]") {
  CHECK(meaning_of_code(148).find("seccomp") != std::string_view::npos);
  CHECK(meaning_of_code(77).empty());
  CHECK(explain_exit(protocol::ExitCode{153}) == "Firecracker's exit code 153: arguments that Firecracker does not understand");
  CHECK(explain_exit(protocol::ExitCode{0}).find("panic") != std::string::npos);
  CHECK(explain_exit(protocol::ExitSignal{9, false}).empty());
  CHECK(explain_exit(protocol::ExitUnknown{"gone"}).empty());
}

namespace {

JailSpec a_jail() {
  JailSpec jail;
  jail.jailer = "/usr/bin/jailer";
  jail.firecracker = "/usr/bin/firecracker-1.15";
  jail.id = "vm-0123456789";
  jail.uid = 1001;
  jail.gid = 1002;
  return jail;
}

}  // namespace

TEST_CASE("jailer: the golden command line, and where the jail is", "[host][vmm]") {
  auto jail = a_jail();
  const std::vector<std::string> flags = {"--api-sock", "/api.sock"};
  CHECK(*jailer_arguments(jail, flags) == std::vector<std::string>{"/usr/bin/jailer", "--id", "vm-0123456789", "--exec-file",
                                                                   "/usr/bin/firecracker-1.15", "--uid", "1001", "--gid", "1002",
                                                                   "--chroot-base-dir", "/srv/jailer", "--cgroup-version", "2", "--",
                                                                   "--api-sock", "/api.sock"});
  CHECK(jail_root(jail) == "/srv/jailer/firecracker-1.15/vm-0123456789/root");
  CHECK(outside_jail(jail, "/api.sock") == "/srv/jailer/firecracker-1.15/vm-0123456789/root/api.sock");
  jail.parent_cgroup = "vigil/vm";
  jail.cgroup = {{"memory.max", "1073741824"}};
  jail.max_open_files = 2048;
  jail.netns = "/run/netns/vm";
  const auto argv = jailer_arguments(jail, flags);
  REQUIRE(argv);
  const std::vector<std::string> more = {
      "--parent-cgroup", "vigil/vm",      "--cgroup", "memory.max=1073741824", "--resource-limit", "no-file=2048",
      "--netns",         "/run/netns/vm", "--"};
  CHECK(std::search(argv->begin(), argv->end(), more.begin(), more.end()) != argv->end());
}

TEST_CASE("jailer: what would be refused, run as root, or lead out of the jail", "[host][vmm]") {
  auto jail = a_jail();
  SECTION("id") { jail.id = "a/b"; }
  SECTION("a long id") { jail.id = std::string(65, 'a'); }
  SECTION("root") { jail.uid = 0; }
  SECTION("relative program") { jail.firecracker = "firecracker"; }
  SECTION("a base that climbs") { jail.chroot_base = "/srv/../etc"; }
  SECTION("a group outside the mount") { jail.parent_cgroup = "../x"; }
  SECTION("a setting that is a path") { jail.cgroup = {{"../memory.max", "1"}}; }
  SECTION("no such version") { jail.cgroup_version = 3; }
  CHECK(jailer_arguments(jail, {}).error().code() == Errc::invalid);
}

}  // namespace vigil::vmm

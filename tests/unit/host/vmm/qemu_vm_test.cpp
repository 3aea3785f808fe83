// A real QEMU, started by a real vigil-shim from a real plan, with its real vsock device: console, control and end.
#include "host/vmm/driver_factory.hpp"
#include "host/vmm/kernel_command_line.hpp"
#include "host/vmm/vsock_device.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/shim/shim_fixture.hpp"
#include "tests/unit/host/vmm/tiny_kernel.hpp"

#include <csignal>
#include <fstream>

namespace vigil::vmm {

using vigil::test::Seen;
using vigil::test::ShimFixture;
using vigil::test::ThenIt;

namespace {

class VmFixture : public ShimFixture {
public:
  VmFixture() {
    auto made = make_driver(VmmKind::automatic, std::filesystem::path(SHIM_PROGRAM).parent_path().string());
    if (!made) SKIP(made.error().message());
    driver = std::move(*made);
  }

  ~VmFixture() {
    if (vm) test::run<void>(io, [this] { return vm->stop(); });
  }

  VmSpec spec_of(ThenIt then) const {
    VmSpec spec;
    spec.id = InstanceId("vm-0123456789");
    spec.run_dir = run_dir().string();
    spec.kernel = (directory.path() / "kernel").string();
    std::ofstream(spec.kernel, std::ios::binary) << test::tiny_kernel("the tiny kernel speaks", then);
    spec.command_line = "console=ttyS0";
    spec.memory_mib = 64;
    const auto root = directory.path() / "root", disk = directory.path() / "disk";
    for (const auto& path : {root, disk}) std::ofstream(path) << std::string(1 << 20, '\0');
    std::filesystem::permissions(root, std::filesystem::perms::owner_read);
    spec.disks = {{root.string(), root_serial, Access::read_only, Flushes::honoured}, {disk.string(), overlay_serial, Access::read_write, Flushes::honoured}};
    return spec;
  }

  /// As the daemon does: under root the VMM has a user of its own, and the run directory is his.
  std::unique_ptr<shim::ShimConnection> start(ThenIt then) {
    auto outcome = driver->plan(spec_of(then));
    REQUIRE(std::holds_alternative<LaunchPlan>(outcome));
    shim::ShimSpec wanted = spec("");
    wanted.plan = std::get<LaunchPlan>(outcome);
    wanted.plan.device->deadline = std::chrono::seconds(20);
    if (::geteuid() == 0) {
      constexpr std::uint32_t vm_user = 54321;
      wanted.credentials = shim::Credentials{vm_user, vm_user, {}};
      std::filesystem::permissions(directory.path(), std::filesystem::perms(0711));
      std::filesystem::permissions(run_dir(), std::filesystem::perms(0700));
      REQUIRE(::chown(run_dir().c_str(), vm_user, vm_user) == 0);
    }
    REQUIRE(spawn(wanted));
    auto connection = attach();
    REQUIRE(connection);
    control = wanted.plan.control_socket;
    return std::move(*connection);
  }

  void connect() {
    using Outcome = Result<std::unique_ptr<RunningVm>>;
    auto connected = test::run<Outcome>(io, [this] {
      return driver->connect(control, [this](VmmEvent event) { vmm_events.push_back(std::move(event)); });
    });
    REQUIRE(connected);
    vm = std::move(*connected);
  }

  std::unique_ptr<VmmDriver> driver;
  std::unique_ptr<RunningVm> vm;
  std::vector<VmmEvent> vmm_events;
  std::string control;
};

bool speaks(const Seen& seen) { return seen.console.find("the tiny kernel speaks\n") != std::string::npos; }

}  // namespace

TEST_CASE("qemu vm: boots, speaks, obeys the control socket and ends as told", "[host][vmm]") {
  VmFixture fixture;
  const auto connection = fixture.start(ThenIt::halts);
  Seen seen;
  fixture.read(*connection, seen, [&seen] { return speaks(seen); });
  REQUIRE(speaks(seen));
  fixture.connect();
  CHECK_FALSE(fixture.vm->version().empty());
  const auto state = [&fixture] { return *test::run<Result<std::string>>(fixture.io, [&fixture] { return fixture.vm->run_state(); }); };
  CHECK(state() == "running");
  REQUIRE(test::run<Result<void>>(fixture.io, [&fixture] { return fixture.vm->pause(); }));
  CHECK(state() == "paused");
  REQUIRE(test::run<Result<void>>(fixture.io, [&fixture] { return fixture.vm->resume(); }));
  REQUIRE(test::run<Result<void>>(fixture.io, [&fixture] { return fixture.vm->request_powerdown(); }));
  CHECK(fixture.vmm_events == std::vector<VmmEvent>{PauseSeen{}, ResumeSeen{}});
  REQUIRE(test::run<Result<void>>(fixture.io, [&fixture] { return fixture.vm->quit(); }));
  fixture.read(*connection, seen);
  const auto* ended = seen.find<shim::Ended>();
  REQUIRE(ended);
  CHECK(ended->record.exit == protocol::ExitStatus(protocol::ExitCode{0}));
  CHECK(fixture.driver->shutdown_reason(ended->record.log_tail, ended->record.exit) == "host-qmp-quit");
  REQUIRE(test::pump_until(fixture.io, [&fixture] { return std::holds_alternative<ControlLost>(fixture.vmm_events.back()); }));
  REQUIRE(fixture.vmm_events.size() == 4);
  CHECK(fixture.vmm_events[2] == VmmEvent(ShutdownSeen{false, "host-qmp-quit"}));
}

TEST_CASE("qemu vm: a guest's reset and panic are told by the log, a kill by its signal", "[host][vmm]") {
  VmFixture fixture;
  SECTION("reset") {
    const auto connection = fixture.start(ThenIt::resets);
    Seen seen;
    fixture.read(*connection, seen);
    const auto* ended = seen.find<shim::Ended>();
    REQUIRE(ended);
    CHECK(speaks(seen));
    CHECK(ended->record.exit == protocol::ExitStatus(protocol::ExitCode{0}));
    CHECK(fixture.driver->shutdown_reason(ended->record.log_tail, ended->record.exit) == "guest-reset");
  }
  SECTION("panic") {
    const auto connection = fixture.start(ThenIt::panics);
    Seen seen;
    fixture.read(*connection, seen);
    const auto* ended = seen.find<shim::Ended>();
    REQUIRE(ended);
    CHECK(speaks(seen));
    CHECK(fixture.driver->shutdown_reason(ended->record.log_tail, ended->record.exit) == "guest-panic");
  }
  SECTION("kill") {
    const auto connection = fixture.start(ThenIt::halts);
    Seen seen;
    fixture.read(*connection, seen, [&seen] { return speaks(seen); });
    REQUIRE(connection->kill_vmm(SIGSEGV));
    fixture.read(*connection, seen);
    const auto* ended = seen.find<shim::Ended>();
    REQUIRE(ended);
    CHECK(ended->record.exit == protocol::ExitStatus(protocol::ExitSignal{SIGSEGV, false}));
    CHECK(ended->record.usage.user_us > 0);
    CHECK(fixture.driver->shutdown_reason(ended->record.log_tail, ended->record.exit).empty());
  }
}

TEST_CASE("qemu vm: a file that is no kernel never becomes a VM", "[host][vmm]") {
  VmFixture fixture;
  VmSpec spec = fixture.spec_of(ThenIt::halts);
  std::ofstream(spec.kernel) << "not a kernel at all";
  const auto outcome = fixture.driver->plan(spec);
  const auto* cause = std::get_if<protocol::Cause>(&outcome);
  REQUIRE(cause);
  CHECK(cause->code == protocol::CauseCode::boot_kernel_invalid);
}

}  // namespace vigil::vmm

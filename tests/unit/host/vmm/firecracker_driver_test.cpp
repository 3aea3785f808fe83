// The driver against the double of Firecracker: its real API client over a real socket. No guest is started here; tests/e2e does that.
#include "host/vmm/firecracker/driver.hpp"
#include "host/vmm/firecracker/requests.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"
#include "tests/unit/host/vmm/tiny_kernel.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

namespace asio = boost::asio;
namespace vigil::vmm {

using namespace vigil::vmm::firecracker;

namespace {

class DoubleOfFirecracker {
public:
  explicit DoubleOfFirecracker(const std::string& version, const char* more = "--no-seccomp") {
    const auto program = std::string(SOURCE_DIR "/tests/firecracker-shim/firecracker");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execlp("python3", "python3", program.c_str(), "--double-version", version.c_str(), "--api-sock", socket().c_str(), "--log-path",
               "/dev/null", more, nullptr);
      ::_exit(127);
    }
  }
  ~DoubleOfFirecracker() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  DoubleOfFirecracker(const DoubleOfFirecracker&) = delete;
  DoubleOfFirecracker& operator=(const DoubleOfFirecracker&) = delete;
  std::string socket() const { return (directory_.path() / "firecracker.sock").string(); }
  std::filesystem::path path() const { return directory_.path(); }
  void kill() const { ::kill(pid_, SIGKILL); }

private:
  test::TemporaryDirectory directory_;
  pid_t pid_ = -1;
};

template <class T, class Work>
T run(asio::io_context& io, Work work) {
  auto done = asio::co_spawn(io, std::move(work), asio::use_future);
  REQUIRE(test::pump_until(io, [&done] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  return done.get();
}

std::unique_ptr<RunningVm> connect_to(asio::io_context& io, const FirecrackerDriver& driver, const std::string& socket) {
  using Outcome = Result<std::unique_ptr<RunningVm>>;
  auto connected = run<Outcome>(io, [&] { return driver.connect(socket, [](VmmEvent) {}); });
  REQUIRE(connected);
  return std::move(*connected);
}

BootOrders orders_of(const DoubleOfFirecracker& there, const std::string& kernel) {
  std::ofstream(there.path() / "kernel") << kernel;
  VmmPaths paths;
  paths.kernel = (there.path() / "kernel").string();
  paths.vsock = (there.path() / "vsock").string();
  VmSpec spec;
  spec.command_line = "console=ttyS0";
  return {boot_requests(spec, paths), "/img/kernel", ""};
}

}  // namespace

TEST_CASE("firecracker driver: waits for the API, knows version and state, and pauses only where the guest survives it", "[host][vmm]") {
  asio::io_context io;
  const FirecrackerDriver driver("/usr/bin/firecracker", {1, 16, 1});
  const DoubleOfFirecracker there("1.16.1");
  const auto vm = connect_to(io, driver, there.socket());
  CHECK(vm->version() == "1.16.1");
  CHECK_FALSE(vm->has_events());
  CHECK(*run<Result<std::string>>(io, [&vm] { return vm->run_state(); }) == "prelaunch");
  const auto paused = run<Result<void>>(io, [&vm] { return vm->pause(); });
  CHECK(paused.error().code() == Errc::unsupported);
  CHECK(paused.error().message().find("1.16.1") != std::string::npos);
  CHECK(run<Result<void>>(io, [&vm] { return vm->quit(); }).error().code() == Errc::unsupported);

  const DoubleOfFirecracker older("1.15.1");
  const auto old_vm = connect_to(io, driver, older.socket());
  const auto refused = run<Result<void>>(io, [&old_vm] { return old_vm->pause(); });
  CHECK(refused.error().message().find("not supported before starting") != std::string::npos);  // asked, and refused by Firecracker itself
}

TEST_CASE("firecracker driver: a refused order is a cause with Firecracker's words", "[host][vmm]") {
  asio::io_context io;
  const FirecrackerDriver driver("/usr/bin/firecracker", {1, 15, 1});
  using Outcome = std::optional<protocol::Cause>;
  SECTION("a kernel that is none") {
    const DoubleOfFirecracker there("1.15.1");
    const auto vm = connect_to(io, driver, there.socket());
    auto orders = orders_of(there, "this is no kernel");
    const auto cause = run<Outcome>(io, [&] { return vm->boot(orders); });
    REQUIRE(cause);
    CHECK(cause->evidence.at(0).find("Invalid ELF magic") != std::string::npos);
  }
  SECTION("a host without KVM") {
    const DoubleOfFirecracker there("1.15.1", "--double-without-kvm");
    const auto vm = connect_to(io, driver, there.socket());
    auto orders = orders_of(there, test::tiny_kernel("", test::ThenIt::halts));
    const auto cause = run<Outcome>(io, [&] { return vm->boot(orders); });
    REQUIRE(cause);
    CHECK(cause->code == protocol::CauseCode::vmm_start_failed);
    CHECK(protocol::sentence(*cause).find("Firecracker cannot use KVM") != std::string::npos);
    CHECK(cause->evidence.at(0).find("Error creating KVM object") != std::string::npos);
  }
  SECTION("a socket that is there already") {
    const DoubleOfFirecracker there("1.15.1");
    const auto vm = connect_to(io, driver, there.socket());
    auto orders = orders_of(there, test::tiny_kernel("", test::ThenIt::halts));
    std::ofstream(there.path() / "vsock") << "left over";
    const auto cause = run<Outcome>(io, [&] { return vm->boot(orders); });
    REQUIRE(cause);
    CHECK(protocol::sentence(*cause).find("PUT /vsock") != std::string::npos);
  }
  SECTION("a guest that another daemon had not started") {
    const DoubleOfFirecracker there("1.15.1");
    const auto vm = connect_to(io, driver, there.socket());
    const auto cause = run<Outcome>(io, [&] { return vm->boot({}); });
    REQUIRE(cause);
    CHECK(protocol::sentence(*cause).find("the daemon ended before") != std::string::npos);
  }
  SECTION("a Firecracker that goes away") {
    const DoubleOfFirecracker there("1.15.1");
    const auto vm = connect_to(io, driver, there.socket());
    there.kill();
    auto orders = orders_of(there, "");
    const auto cause = run<Outcome>(io, [&] { return vm->boot(orders); });
    REQUIRE(cause);
    CHECK(protocol::sentence(*cause).find("Firecracker's API") != std::string::npos);
  }
}

TEST_CASE("firecracker driver: a bzImage is refused before the start, and the guest is told its machine", "[host][vmm]") {
  const FirecrackerDriver driver("/usr/bin/firecracker", {1, 15, 1});
  test::TemporaryDirectory directory;
  const auto kernel = (directory.path() / "kernel").string();
  std::string image(0x10000, '\0');
  image.replace(0x1f1, 1, std::string(1, '\1'));
  image.replace(0x1fe, 2, "\x55\xaa");
  image.replace(0x202, 4, "HdrS");
  std::ofstream(kernel, std::ios::binary) << image;
  VmSpec spec;
  spec.kernel = kernel;
  const auto outcome = driver.plan(spec);
  const auto* cause = std::get_if<protocol::Cause>(&outcome);
  REQUIRE(cause);
  CHECK(cause->code == protocol::CauseCode::boot_kernel_invalid);
  CHECK(protocol::sentence(*cause).find("bzImage") != std::string::npos);
  CommandLine line{InstanceId("vm-0123456789"), "abc", protocol::Accelerator::kvm, 0, ""};
  line.machine = driver.machine();
  CHECK(kernel_command_line(line) ==
        "console=ttyS0,115200 reboot=k panic=-1 cryptomgr.notests rcupdate.rcu_expedited=1 vigil.vm=vm-0123456789 vigil.image=abc "
        "vigil.accel=kvm vigil.root=/dev/vda vigil.overlay=/dev/vdb vigil.poweroff=reset");
  CHECK(driver.shutdown_reason("", protocol::ExitCode{0}) == reset_of_unknown_kind);
  CHECK(driver.shutdown_reason("", protocol::ExitCode{1}).empty());
}

}  // namespace vigil::vmm

// What this machine offers: accelerator, counter, programs.
#include "host/vmm/accelerator.hpp"
#include "host/vmm/driver_factory.hpp"
#include "host/vmm/programs.hpp"
#include "host/vmm/tsc_rate.hpp"
#include "host/vmm/vsock_device.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace vigil::vmm {

TEST_CASE("accelerator: without KVM it is TCG, and the reason is said", "[host][vmm]") {
  CHECK(detect_accelerator("/nonexistent/kvm") == AcceleratorChoice{protocol::Accelerator::tcg, "/nonexistent/kvm: No such file or directory"});
  const auto not_kvm = detect_accelerator("/dev/null");
  CHECK(not_kvm.accelerator == protocol::Accelerator::tcg);
  CHECK(not_kvm.why.starts_with("/dev/null is not KVM: "));
  CHECK_FALSE(detect_accelerator().why.empty());
}

TEST_CASE("tsc rate: is plausible, and the same when measured again", "[host][vmm]") {
  TscMeter first, second;
  const auto khz = first.khz();
  CHECK(khz > 500'000);
  CHECK(khz < 10'000'000);
  CHECK(first.khz() == khz);
  const auto again = second.khz();
  const auto difference = khz > again ? khz - again : again - khz;
  CHECK(difference * 1000 < khz);   // 0.1 %: a guest's clock must not run away
}

TEST_CASE("vsock device: is found beside the daemon, in the build tree's tools, or is named as missing", "[host][vmm]") {
  const test::TemporaryDirectory directory;
  const auto make_program = [](const std::filesystem::path& path) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "#!/bin/sh\n";
    ::chmod(path.c_str(), 0755);
  };
  const std::string bin = (directory.path() / "build/release/bin").string();
  std::filesystem::create_directories(bin);
  const auto tool = directory.path() / "build/tools/vhost-device-vsock";
  make_program(tool);
  const auto in_tools = find_vsock_device(bin);
  REQUIRE(in_tools);
  CHECK(std::filesystem::equivalent(*in_tools, tool));
  make_program(bin + "/vhost-device-vsock");
  CHECK(*find_vsock_device(bin) == bin + "/vhost-device-vsock");

  const auto chosen = directory.path() / "chosen";
  ::setenv("VIGIL_VSOCK_DEVICE", chosen.c_str(), 1);
  const auto missing = find_vsock_device(bin);
  REQUIRE_FALSE(missing);
  CHECK(missing.error() == Error(Errc::not_found, "vhost-device-vsock: not found, looked for " + chosen.string()));
  make_program(chosen);
  CHECK(*find_vsock_device(bin) == chosen.string());
  ::unsetenv("VIGIL_VSOCK_DEVICE");
}

TEST_CASE("driver factory: a VMM that is missing is refused by its name", "[host][vmm]") {
  ::setenv("VIGIL_FIRECRACKER", "/nonexistent/firecracker", 1);
  CHECK(make_driver(VmmKind::firecracker, "/usr/bin").error() == Error(Errc::not_found, "Firecracker: not found, looked for /nonexistent/firecracker"));
  ::unsetenv("VIGIL_FIRECRACKER");
  ::setenv("VIGIL_QEMU", "/nonexistent/qemu", 1);
  const auto driver = make_driver(VmmKind::automatic, "/usr/bin");
  ::unsetenv("VIGIL_QEMU");
  REQUIRE_FALSE(driver);
  CHECK(driver.error() == Error(Errc::not_found, "QEMU: not found, looked for /nonexistent/qemu"));
}

}  // namespace vigil::vmm

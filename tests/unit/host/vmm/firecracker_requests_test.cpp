// Every request that the Firecracker driver can make, against Firecracker's own description of its API.
#include "host/vmm/firecracker/arguments.hpp"
#include "host/vmm/firecracker/requests.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/vmm/api_description.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>
#include <functional>

namespace vigil::vmm {

using namespace vigil::vmm::firecracker;

namespace {

/// Beside the source tree, or where VIGIL_FIRECRACKER_API says.
std::string description_path() {
  const char* const chosen = std::getenv("VIGIL_FIRECRACKER_API");
  return chosen != nullptr ? chosen : SOURCE_DIR "/../shared/data/firecracker-api.yaml";
}

VmSpec firecracker_spec() {
  VmSpec spec;
  spec.id = InstanceId("vm-0123456789");
  spec.run_dir = "/run/vigil/vm-0123456789";
  spec.kernel = "/img/kernel";
  spec.initrd = "/img/initrd";
  spec.command_line = "console=ttyS0 reboot=k";
  spec.vcpus = 2;
  spec.memory_mib = 512;
  spec.disks = {{"/img/root.ext4", root_serial, Access::read_only, Flushes::honoured},
                {"/i/disk.raw", overlay_serial, Access::read_write, Flushes::honoured}};
  return spec;
}

/// Over everything that changes a request: versions with and without /serial, with and without an initrd, every kind of disk.
std::vector<ControlRequest> every_request() {
  std::vector<ControlRequest> all = {start_request(),  ctrl_alt_del_request(), pause_request(),
                                     resume_request(), instance_request(),     version_request()};
  for (const auto& version : {Version{1, 13, 0}, Version{1, 14, 0}, Version{1, 16, 1}})
    for (const auto& initrd : {"/img/initrd", ""})
      for (const auto flushes : {Flushes::honoured, Flushes::ignored})
        for (const std::uint32_t vcpus : {1U, 32U}) {
          VmSpec spec = firecracker_spec();
          spec.initrd = initrd;
          spec.disks[1].flushes = flushes;
          spec.vcpus = vcpus;
          auto plan = make_launch_plan(spec, "/usr/bin/firecracker", version);
          REQUIRE(plan);
          all.insert(all.end(), plan->boot.requests.begin(), plan->boot.requests.end());
        }
  return all;
}

}  // namespace

TEST_CASE("firecracker requests: every one is as Firecracker's API describes it", "[host][vmm]") {
  if (!std::filesystem::exists(description_path())) SKIP("no " + description_path() + ": Firecracker's description of its API is not here");
  const test::ApiDescription description(description_path());
  REQUIRE_FALSE(description.empty());
  for (const auto& request : every_request()) CHECK(description.fault_of(request) == "");
}

TEST_CASE("firecracker requests: the judge of requests refuses what Firecracker would", "[host][vmm]") {
  if (!std::filesystem::exists(description_path())) SKIP("no " + description_path() + ": Firecracker's description of its API is not here");
  const test::ApiDescription description(description_path());
  const std::vector<std::pair<ControlRequest, std::string>> wrong = {
      {{"PUT", "/vsock", R"({"guest_cid":3,"uds_path":"v","port":1})"}, "/vsock.port: not described"},
      {{"PUT", "/vsock", R"({"guest_cid":2,"uds_path":"v"})"}, "/vsock.guest_cid: below its minimum"},
      {{"PUT", "/vsock", R"({"guest_cid":3})"}, "/vsock: without uds_path"},
      {{"PUT", "/machine-config", R"({"vcpu_count":33,"mem_size_mib":1})"}, "/machine-config.vcpu_count: above its maximum"},
      {{"PUT", "/machine-config", R"({"vcpu_count":"2","mem_size_mib":1})"}, "/machine-config.vcpu_count: is no integer"},
      {{"PUT", "/actions", R"({"action_type":"Reboot"})"},
       R"(/actions.action_type: "Reboot" is not one of ["FlushMetrics","InstanceStart","SendCtrlAltDel"])"},
      {{"PUT", "/drives/a/b", R"({})"}, "PUT /drives/a/b: not described"},
      {{"PATCH", "/boot-source", R"({})"}, "PATCH /boot-source: not described"},
      {{"GET", "/", "{}"}, "/: has a body, but none is described"},
      {{"PUT", "/serial", R"({"rate_limiter":{"size":1}})"}, "/serial.rate_limiter: without refill_time"}};
  for (const auto& [request, fault] : wrong) CHECK(description.fault_of(request) == fault);
}

TEST_CASE("firecracker requests: in order, the root first, the start last", "[host][vmm]") {
  const auto plan = make_launch_plan(firecracker_spec(), "/usr/bin/firecracker", Version{1, 14, 0});
  REQUIRE(plan);
  const std::vector<ControlRequest> golden = {
      {"PUT", "/serial", R"({"serial_out_path":"/proc/self/fd/7"})"},
      {"PUT", "/machine-config", R"({"mem_size_mib":512,"smt":false,"track_dirty_pages":false,"vcpu_count":2})"},
      {"PUT", "/boot-source",
       R"({"boot_args":"console=ttyS0 reboot=k","initrd_path":"/proc/self/fd/4","kernel_image_path":"/proc/self/fd/3"})"},
      {"PUT", "/drives/disk0",
       R"({"cache_type":"Unsafe","drive_id":"disk0","is_read_only":true,"is_root_device":false,"path_on_host":"/proc/self/fd/5"})"},
      {"PUT", "/drives/disk1",
       R"({"cache_type":"Writeback","drive_id":"disk1","is_read_only":false,"is_root_device":false,"path_on_host":"/proc/self/fd/6"})"},
      {"PUT", "/vsock", R"({"guest_cid":3,"uds_path":"/run/vigil/vm-0123456789/vsock"})"},
      {"PUT", "/actions", R"({"action_type":"InstanceStart"})"}};
  CHECK(plan->boot.requests == golden);
  CHECK(plan->boot.kernel == "/img/kernel");
  CHECK(plan->argv == std::vector<std::string>{"/usr/bin/firecracker", "--id", "vm-0123456789", "--api-sock",
                                               "/run/vigil/vm-0123456789/firecracker.sock", "--log-path", "/proc/self/fd/2", "--level",
                                               "Info", "--show-level"});
  const std::vector<PassedFile> files = {{"/img/kernel", Access::read_only, 3},
                                         {"/img/initrd", Access::read_only, 4},
                                         {"/img/root.ext4", Access::read_only, 5},
                                         {"/i/disk.raw", Access::read_write, 6}};
  CHECK(plan->files == files);
  CHECK(plan->listeners.empty());
  CHECK_FALSE(plan->device);
  CHECK(plan->console_fd == 7);
}

TEST_CASE("firecracker requests: before 1.14 the console is stdout", "[host][vmm]") {
  const auto plan = make_launch_plan(firecracker_spec(), "/usr/bin/firecracker", Version{1, 13, 5});
  REQUIRE(plan);
  CHECK(plan->console_fd == 1);
  CHECK(plan->boot.requests.front().path == "/machine-config");
}

TEST_CASE("firecracker requests: what Firecracker cannot make is refused with its reason", "[host][vmm]") {
  VmSpec spec = firecracker_spec();
  std::string expected;
  Errc code = Errc::invalid;
  SECTION("sockets without room") {
    spec.run_dir = "/run/" + std::string(100, 'r');
    expected = "a socket path may have 107 bytes";
    code = Errc::limit;
  }
  SECTION("a command line that does not fit") {
    spec.command_line = std::string(2000, 'x');
    expected = "shorten kernel_args";
    code = Errc::limit;
  }
  SECTION("more processors than it has") {
    spec.vcpus = 33;
    expected = "at most 32";
  }
  SECTION("no memory") {
    spec.memory_mib = 0;
    expected = "a VM needs a vcpu and memory";
  }
  const auto plan = make_launch_plan(spec, "/usr/bin/firecracker", Version{1, 15, 0});
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code() == code);
  CHECK(plan.error().message().find(expected) != std::string::npos);
}

}  // namespace vigil::vmm

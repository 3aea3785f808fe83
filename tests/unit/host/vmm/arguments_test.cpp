// The whole command line, word by word: what QEMU gets is what was proven to boot.
#include "host/vmm/kernel_command_line.hpp"
#include "host/vmm/qemu/arguments.hpp"
#include "host/vmm/vsock_device.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::vmm {

namespace {

VmSpec minimal() {
  VmSpec spec;
  spec.id = InstanceId("vm-0123456789");
  spec.run_dir = "/run/vigil/vm-0123456789";
  spec.kernel = "/img/kernel";
  spec.initrd = "/img/initrd";
  spec.command_line = "console=ttyS0";
  spec.disks = {{"/img/root.ext4", root_serial, Access::read_only, Flushes::honoured},
                {"/i/disk.raw", overlay_serial, Access::read_write, Flushes::honoured}};
  return spec;
}

Result<LaunchPlan> plan_of(const VmSpec& spec) { return qemu::make_launch_plan(spec, "/usr/bin/qemu-system-x86_64", "/usr/bin/vhost-device-vsock"); }

bool has(const LaunchPlan& plan, const std::string& word) { return std::find(plan.argv.begin(), plan.argv.end(), word) != plan.argv.end(); }

}  // namespace

TEST_CASE("qemu arguments: the golden command line of a minimal VM under TCG", "[host][vmm]") {
  const auto plan = plan_of(minimal());
  REQUIRE(plan);
  const std::vector<std::string> golden = {
      "/usr/bin/qemu-system-x86_64", "-name", "vm-0123456789", "-nodefaults", "-no-user-config", "-display", "none",
      "-machine", "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,pcie=off,memory-backend=mem0",
      "-accel", "tcg,tb-size=128", "-cpu", "max,-cx16", "-smp", "1", "-m", "256M",
      "-object", "memory-backend-memfd,id=mem0,size=256M,share=on",
      "-kernel", "/proc/self/fd/3", "-initrd", "/proc/self/fd/4", "-append", "console=ttyS0",
      "-add-fd", "fd=5,set=1", "-drive", "if=none,id=disk0,file=/dev/fdset/1,format=raw,readonly=on",
      "-device", "virtio-blk-device,drive=disk0,serial=vigil-root",
      "-add-fd", "fd=6,set=2", "-drive", "if=none,id=disk1,file=/dev/fdset/2,format=raw,auto-read-only=off,discard=unmap",
      "-device", "virtio-blk-device,drive=disk1,serial=vigil-overlay",
      "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
      "-chardev", "socket,id=control,fd=7,server=on,wait=off", "-mon", "chardev=control,mode=control",
      "-chardev", "socket,id=vsock,path=/run/vigil/vm-0123456789/vhost.sock", "-device", "vhost-user-vsock-device,chardev=vsock",
      "-device", "pvpanic", "-action", "reboot=shutdown,shutdown=poweroff,panic=shutdown",
      "-trace", "enable=qemu_system_shutdown_request", "-msg", "timestamp=on",
      "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"};
  CHECK(plan->argv == golden);
  const std::vector<PassedFile> files = {{"/img/kernel", Access::read_only, 3}, {"/img/initrd", Access::read_only, 4},
                                         {"/img/root.ext4", Access::read_only, 5}, {"/i/disk.raw", Access::read_write, 6}};
  CHECK(plan->files == files);
  CHECK(plan->listeners == std::vector<PassedListener>{{"/run/vigil/vm-0123456789/qmp.sock", 7}});
  CHECK(plan->control_socket == "/run/vigil/vm-0123456789/qmp.sock");
  REQUIRE(plan->device);
  CHECK(plan->device->argv == std::vector<std::string>{"/usr/bin/vhost-device-vsock", "--guest-cid", "3", "--socket",
                                                       "/run/vigil/vm-0123456789/vhost.sock", "--uds-path", "/run/vigil/vm-0123456789/vsock"});
  CHECK(plan->device->socket == "/run/vigil/vm-0123456789/vhost.sock");
}

TEST_CASE("qemu arguments: KVM takes the host's processor, an ephemeral disk no flushes", "[host][vmm]") {
  VmSpec spec = minimal();
  spec.accelerator = protocol::Accelerator::kvm;
  spec.vcpus = 4;
  spec.memory_mib = 2048;
  spec.disks[1].flushes = Flushes::ignored;
  const auto plan = plan_of(spec);
  REQUIRE(plan);
  CHECK(has(*plan, "kvm"));
  CHECK(has(*plan, "host"));
  CHECK(has(*plan, "4"));
  CHECK(has(*plan, "memory-backend-memfd,id=mem0,size=2048M,share=on"));
  CHECK(has(*plan, "if=none,id=disk1,file=/dev/fdset/2,format=raw,auto-read-only=off,discard=unmap,cache=unsafe"));
}

TEST_CASE("qemu arguments: what cannot be is refused with its reason", "[host][vmm]") {
  VmSpec spec = minimal();
  std::string expected;
  Errc code = Errc::invalid;
  SECTION("a run directory whose sockets have no room") {
    spec.run_dir = "/run/" + std::string(100, 'r');
    expected = "a socket path may have 107 bytes";
    code = Errc::limit;
  }
  SECTION("a comma would be read as QEMU's own") {
    spec.run_dir = "/run/a,server=on";
    expected = "a comma in a socket's path";
  }
  SECTION("a serial that virtio cannot hold") {
    spec.disks[0].serial = std::string(21, 's');
    expected = "1 to 20 bytes";
  }
  SECTION("no processor") {
    spec.vcpus = 0;
    expected = "a VM needs a vcpu";
  }
  const auto plan = plan_of(spec);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code() == code);
  CHECK(plan.error().message().find(expected) != std::string::npos);
}

TEST_CASE("kernel command line: TCG gets the host's counter, KVM its own, and extras come last", "[host][vmm]") {
  CommandLine wanted{InstanceId("vm-0123456789"), "abc", protocol::Accelerator::tcg, 2250004, "debug vigil.root=other"};
  CHECK(kernel_command_line(wanted) ==
        "console=ttyS0,115200 reboot=t panic=-1 tsc=reliable no_timer_check tsc_early_khz=2250004 cryptomgr.notests rcupdate.rcu_expedited=1 "
        "vigil.vm=vm-0123456789 vigil.image=abc vigil.accel=tcg vigil.root=vigil-root vigil.overlay=vigil-overlay debug vigil.root=other");
  wanted.accelerator = protocol::Accelerator::kvm;
  wanted.extra.clear();
  CHECK(kernel_command_line(wanted) ==
        "console=ttyS0,115200 reboot=t panic=-1 cryptomgr.notests rcupdate.rcu_expedited=1 "
        "vigil.vm=vm-0123456789 vigil.image=abc vigil.accel=kvm vigil.root=vigil-root vigil.overlay=vigil-overlay");
}

}  // namespace vigil::vmm

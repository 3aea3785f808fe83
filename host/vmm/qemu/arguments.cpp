#include "host/vmm/qemu/arguments.hpp"

#include "host/async/unix_listener.hpp"
#include "host/vmm/vsock_device.hpp"

namespace vigil::vmm::qemu {

namespace {

constexpr int first_fd = 3;
constexpr std::size_t max_serial = 20;   // of a virtio block device

/// Hands out descriptors in the order in which they are asked for.
class Builder {
public:
  explicit Builder(LaunchPlan& plan) : plan_(plan) {}

  template <class... Words>
  void add(const Words&... words) { (plan_.argv.emplace_back(words), ...); }

  int listen(const std::string& path) {
    plan_.listeners.push_back({path, next_});
    return next_++;
  }
  int open(const std::string& path, Access access) {
    plan_.files.push_back({path, access, next_});
    return next_++;
  }
  /// QEMU's loaders know no descriptors: this opens the file anew, by the descriptor.
  std::string reopen(const std::string& path) { return "/proc/self/fd/" + std::to_string(open(path, Access::read_only)); }

private:
  LaunchPlan& plan_;
  int next_ = first_fd;
};

void add_machine(Builder& argv, const VmSpec& spec) {
  const std::string memory = std::to_string(spec.memory_mib);
  const bool emulated = spec.accelerator == protocol::Accelerator::tcg;
  argv.add("-name", spec.id.value(), "-nodefaults", "-no-user-config", "-display", "none");
  // acpi: an orderly power-off. pit, pic, rtc: an emulated guest calibrates by them, and reads the time of day at boot.
  argv.add("-machine", "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,pcie=off,memory-backend=mem0");
  // The translation buffer is up to 1 GiB by default. One guest needs far less.
  argv.add("-accel", emulated ? "tcg,tb-size=128" : "kvm");
  // QEMU 7.2 emulates cmpxchg16b wrongly (the flags are garbage afterwards): 5 to 30 % of boots died of it. Without it the kernel does otherwise.
  argv.add("-cpu", emulated ? "max,-cx16" : "host");
  argv.add("-smp", std::to_string(spec.vcpus), "-m", memory + "M");
  // Shared: the vsock device reads and writes the guest's memory.
  argv.add("-object", "memory-backend-memfd,id=mem0,size=" + memory + "M,share=on");
}

void add_boot(Builder& argv, const VmSpec& spec) {
  argv.add("-kernel", argv.reopen(spec.kernel));
  if (!spec.initrd.empty()) argv.add("-initrd", argv.reopen(spec.initrd));
  argv.add("-append", spec.command_line);
}

void add_disks(Builder& argv, const VmSpec& spec) {
  int number = 0;
  for (const Disk& disk : spec.disks) {
    const std::string id = "disk" + std::to_string(number++);
    const bool read_only = disk.access == Access::read_only;
    const std::string set = std::to_string(number);
    argv.add("-add-fd", "fd=" + std::to_string(argv.open(disk.path, disk.access)) + ",set=" + set);
    std::string drive = "if=none,id=" + id + ",file=/dev/fdset/" + set + ",format=raw";
    // Without auto-read-only QEMU opens the disk for writing at once; else it asks the set for a read-only descriptor first, and there is none.
    drive += read_only ? ",readonly=on" : ",auto-read-only=off,discard=unmap";
    if (disk.flushes == Flushes::ignored) drive += ",cache=unsafe";
    argv.add("-drive", drive, "-device", "virtio-blk-device,drive=" + id + ",serial=" + disk.serial);
  }
}

void add_channels(Builder& argv, const DevicePlan& vsock, const std::string& control_socket) {
  argv.add("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console");
  const std::string control = std::to_string(argv.listen(control_socket));
  argv.add("-chardev", "socket,id=control,fd=" + control + ",server=on,wait=off", "-mon", "chardev=control,mode=control");
  argv.add("-chardev", "socket,id=vsock,path=" + vsock.socket, "-device", "vhost-user-vsock-device,chardev=vsock");
}

void add_ends(Builder& argv) {
  argv.add("-device", "pvpanic");
  argv.add("-action", "reboot=shutdown,shutdown=poweroff,panic=shutdown");
  // Why the guest ended, in vmm.log too: nobody may be there to see the event.
  argv.add("-trace", "enable=qemu_system_shutdown_request", "-msg", "timestamp=on");
  argv.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

/// A comma would end the option that the value stands in.
bool is_plain(const std::string& value) { return !value.empty() && value.find(',') == std::string::npos; }

Result<void> check(const VmSpec& spec, const LaunchPlan& plan) {
  for (const std::string& path : {plan.control_socket, plan.device->socket, vsock_listen_path(spec.run_dir, 5252)})
    if (path.size() > async::max_socket_path)
      return Error(Errc::limit, path + ": a socket path may have " + std::to_string(async::max_socket_path) + " bytes, this has " +
                                    std::to_string(path.size()) + "; choose a shorter run directory");
  if (!is_plain(plan.device->socket)) return Error(Errc::invalid, plan.device->socket + ": a comma in a socket's path");
  if (spec.vcpus == 0 || spec.memory_mib == 0) return Error(Errc::invalid, "a VM needs a vcpu and memory");
  for (const Disk& disk : spec.disks)
    if (!is_plain(disk.serial) || disk.serial.size() > max_serial) return Error(Errc::invalid, "disk serial \"" + disk.serial + "\": 1 to 20 bytes, no comma");
  return {};
}

}  // namespace

std::string qemu_control_socket(const std::string& run_dir) { return run_dir + "/qmp.sock"; }

Result<LaunchPlan> make_launch_plan(const VmSpec& spec, const std::string& qemu, const std::string& vsock_device) {
  LaunchPlan plan;
  plan.control_socket = qemu_control_socket(spec.run_dir);
  plan.device = vsock_device_plan(vsock_device, spec.cid, spec.run_dir);
  TRY_VOID(check(spec, plan));
  Builder argv(plan);
  argv.add(qemu);
  add_machine(argv, spec);
  add_boot(argv, spec);
  add_disks(argv, spec);
  add_channels(argv, *plan.device, plan.control_socket);
  add_ends(argv);
  return plan;
}

}  // namespace vigil::vmm::qemu

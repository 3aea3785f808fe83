#include "host/vmm/firecracker/arguments.hpp"

#include "host/async/unix_listener.hpp"
#include "host/vmm/firecracker/requests.hpp"
#include "host/vmm/vsock_device.hpp"

namespace vigil::vmm::firecracker {

namespace {

constexpr int first_passed_fd = 3;
constexpr std::uint32_t most_vcpus = 32;
constexpr std::size_t most_disks = 8;                 // of 17 virtio devices on x86; more than anything here needs
constexpr std::size_t max_command_line = 2048;
constexpr std::size_t appended = 64;                  // by Firecracker itself: " pci=off" and, on request, root=
constexpr const char* own_stderr = "/proc/self/fd/2";

std::string by_descriptor(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Result<void> check_spec(const VmSpec& spec, const LaunchPlan& plan) {
  for (const std::string& path : {plan.control_socket, vsock_listen_path(spec.run_dir, 5252)})
    if (path.size() > async::max_socket_path)
      return Error(Errc::limit, path + ": a socket path may have " + std::to_string(async::max_socket_path) + " bytes, this has " +
                                    std::to_string(path.size()) + "; choose a shorter run directory");
  if (spec.vcpus == 0 || spec.memory_mib == 0) return Error(Errc::invalid, "a VM needs a vcpu and memory");
  if (spec.vcpus > most_vcpus)
    return Error(Errc::invalid, std::to_string(spec.vcpus) + " vcpus: Firecracker gives a VM at most " + std::to_string(most_vcpus));
  if (spec.disks.size() > most_disks)
    return Error(Errc::invalid, std::to_string(spec.disks.size()) + " disks: at most " + std::to_string(most_disks));
  if (spec.command_line.size() + appended > max_command_line)
    return Error(Errc::limit, "a kernel command line of " + std::to_string(spec.command_line.size()) + " bytes: Firecracker takes " +
                                  std::to_string(max_command_line - appended) + "; shorten kernel_args");
  return {};
}

}  // namespace

std::string api_socket(const std::string& run_dir) { return run_dir + "/firecracker.sock"; }

std::vector<std::string> firecracker_flags(const std::string& api_socket, const std::string& log_path) {
  return {"--api-sock", api_socket, "--log-path", log_path, "--level", "Info", "--show-level"};
}

Result<LaunchPlan> make_launch_plan(const VmSpec& spec, const std::string& program, const Version& version) {
  LaunchPlan plan;
  plan.control_socket = api_socket(spec.run_dir);
  TRY_VOID(check_spec(spec, plan));
  int next = first_passed_fd;
  const auto pass = [&plan, &next](const std::string& path, Access access) {
    plan.files.push_back({path, access, next});
    return by_descriptor(next++);
  };
  VmmPaths paths;
  paths.kernel = pass(spec.kernel, Access::read_only);
  if (!spec.initrd.empty()) paths.initrd = pass(spec.initrd, Access::read_only);
  for (const Disk& disk : spec.disks) paths.disks.push_back(pass(disk.path, disk.access));
  paths.vsock = vsock_uds_path(spec.run_dir);
  if (has_serial(version)) {
    plan.console_fd = next++;
    paths.serial = by_descriptor(plan.console_fd);
  }
  plan.argv = {program, "--id", spec.id.value()};
  for (std::string& flag : firecracker_flags(plan.control_socket, own_stderr)) plan.argv.push_back(std::move(flag));
  plan.boot = {boot_requests(spec, paths), spec.kernel, spec.initrd};
  return plan;
}

}  // namespace vigil::vmm::firecracker

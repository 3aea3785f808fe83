#include "host/doctor/checks.hpp"

#include "host/vmm/accelerator.hpp"
#include "host/vmm/firecracker/version.hpp"
#include "host/vmm/programs.hpp"
#include "host/vmm/vsock_device.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace vigil::doctor {

namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t few_open_files = 4096;      // the daemon uses some 12 a VM
constexpr std::uint64_t little_disk_mib = 4096, no_disk_mib = 512;
constexpr int oldest_qemu_major = 7;
constexpr std::size_t max_socket_path = 107;
constexpr const char* longest_socket = "/vm-0123456789/vsock_5252";

/// `path` itself, or the nearest directory above it that is there.
std::string nearest_existing(std::string path) {
  struct stat status {};
  while (path.size() > 1 && ::stat(path.c_str(), &status) != 0) path.erase(std::max<std::size_t>(path.rfind('/'), 1));
  return path;
}

bool is_directory(const std::string& path, struct stat& status) { return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode); }

/// Whether holes can be made in files there: the console's middle is given back that way. Asks a file without a name, so nothing stays.
bool makes_holes(const std::string& directory) {
  const UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return true;   // cannot be asked
  constexpr off_t bytes = 8192;
  if (::ftruncate(file.get(), bytes) != 0) return true;
  return ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 || (errno != EOPNOTSUPP && errno != ENOSYS);
}

int major_of(const std::string& version_text) {
  int major = 0;
  const auto at = version_text.find("version ");
  if (at != std::string::npos) std::sscanf(version_text.c_str() + at, "version %d", &major);
  return major;
}

}  // namespace

Check check_kvm(const std::string& device) {
  const auto choice = vmm::detect_accelerator(device);
  if (choice.accelerator == protocol::Accelerator::kvm) return {"kvm", CheckStatus::ok, choice.why, ""};
  struct stat status {};
  const bool exists = ::stat(device.c_str(), &status) == 0;
  const bool denied = exists && ::access(device.c_str(), R_OK | W_OK) != 0;
  const std::string mend = denied ? "add the daemon's user to the group that owns " + device + " (usually kvm), then log in again"
                           : exists ? "see the kernel's log; another hypervisor may hold the processor"
                                    : "turn virtualisation on in the firmware (in a VM: nested virtualisation) and load kvm_intel or kvm_amd";
  return {"kvm", CheckStatus::warn, choice.why + ": VMs are emulated (TCG), some ten times slower", mend};
}

Check check_qemu() {
  constexpr const char* mend = "apt install qemu-system-x86";
  const auto program = vmm::find_qemu();
  if (!program) return {"qemu", CheckStatus::fail, program.error().message(), mend};
  const std::string version = version_line(*program);
  if (version.empty()) return {"qemu", CheckStatus::fail, *program + " does not say its version", std::string("install it again: ") + mend};
  const bool old = major_of(version) < oldest_qemu_major;
  return {"qemu", old ? CheckStatus::warn : CheckStatus::ok, *program + ", " + version, old ? "use QEMU 7.2 or later" : ""};
}

Check check_firecracker(const std::string& device) {
  constexpr const char* name = "firecracker";
  const auto program = vmm::find_firecracker();
  const bool is_wanted = std::getenv("VIGIL_FIRECRACKER") != nullptr;
  if (!program && is_wanted) return {name, CheckStatus::warn, program.error().message(), "correct VIGIL_FIRECRACKER"};
  if (!program) return {name, CheckStatus::ok, "not installed; VMs run on QEMU", ""};
  const auto version = vmm::firecracker::ask_version(*program);
  if (!version) return {name, CheckStatus::warn, version.error().message(), "install a current release of Firecracker for this architecture"};
  const std::string found = *program + ", " + vmm::firecracker::to_text(*version) + "; this driver has been tested against a double, not on KVM";
  const auto kvm = vmm::detect_accelerator(device);
  if (kvm.accelerator != protocol::Accelerator::kvm) return {name, CheckStatus::warn, found + "; " + kvm.why, "Firecracker runs with KVM only: see the kvm row"};
  if (!vmm::firecracker::survives_bare_pause(*version))
    return {name, CheckStatus::ok, found + "; VMs cannot be paused with 1.16", ""};
  return {name, CheckStatus::ok, found, ""};
}

Check check_vsock_device(const std::string& program_dir) {
  const auto program = vmm::find_vsock_device(program_dir);
  if (!program)
    return {"vsock-device", CheckStatus::fail, program.error().message(),
            "install Debian's vhost-device-vsock (trixie-backports or sid), run ./dev setup in a source tree, or set VIGIL_VSOCK_DEVICE"};
  const std::string version = version_line(*program);
  if (version.empty()) return {"vsock-device", CheckStatus::fail, *program + " does not run", "install vhost-device-vsock again, for this architecture"};
  return {"vsock-device", CheckStatus::ok, *program + ", " + version, ""};
}

Check check_open_files(std::uint64_t limit) {
  const std::string found = "at most " + std::to_string(limit) + " open files";
  if (limit >= few_open_files) return {"open-files", CheckStatus::ok, found, ""};
  return {"open-files", CheckStatus::warn, found + ", enough for some " + std::to_string(limit / 12) + " VMs",
          "raise it: LimitNOFILE=65536 in the unit, or ulimit -n"};
}

Check check_disk(const std::string& state_dir) {
  const std::string place = nearest_existing(state_dir);
  struct statvfs space {};
  if (::statvfs(place.c_str(), &space) != 0) return {"state-disk", CheckStatus::fail, Error::from_errno(place, errno).message(), "see the path"};
  const std::uint64_t free_mib = std::uint64_t{space.f_bavail} * space.f_frsize / mib;
  const std::string found = std::to_string(free_mib) + " MiB free at " + place;
  if (free_mib < no_disk_mib) return {"state-disk", CheckStatus::fail, found, "free space there, or move it with --state"};
  if (free_mib < little_disk_mib) return {"state-disk", CheckStatus::warn, found, "an image takes about 2 GiB while it is built: free space there"};
  if (!makes_holes(place)) return {"state-disk", CheckStatus::warn, found + "; its file system makes no holes in files",
                                   "of a console over 17 MiB only the beginning is kept there; ext4, xfs, btrfs and tmpfs keep the end too"};
  return {"state-disk", CheckStatus::ok, found, ""};
}

Check check_directory(const std::string& name, const std::string& path) {
  struct stat status {};
  if (!is_directory(path, status)) {
    const std::string above = nearest_existing(path);
    if (::access(above.c_str(), W_OK | X_OK) == 0) return {name, CheckStatus::ok, path + " is made at the first start", ""};
    return {name, CheckStatus::fail, path + " is not there, and you may not make it in " + above, "start vigild as root, or choose another place"};
  }
  if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0)
    return {name, CheckStatus::fail, path + " may be written by everybody", "chmod o-w " + path};
  if (status.st_uid != ::geteuid()) return {name, CheckStatus::warn, path + " belongs to uid " + std::to_string(status.st_uid), "run vigild as that user"};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return {name, CheckStatus::fail, path + " cannot be written", "chmod u+rwx " + path};
  return {name, CheckStatus::ok, path, ""};
}

Check check_run_dir(const std::string& run_dir) {
  const std::size_t longest = run_dir.size() + std::string(longest_socket).size();
  if (longest > max_socket_path)
    return {"run-dir", CheckStatus::fail, run_dir + ": its sockets would have paths of " + std::to_string(longest) + " bytes, Unix allows " + std::to_string(max_socket_path),
            "choose a shorter one with --run"};
  return check_directory("run-dir", run_dir);
}

Check check_image_tools() {
  constexpr std::array<std::pair<const char*, const char*>, 4> tools = {
      {{"mmdebstrap", "mmdebstrap"}, {"mke2fs", "e2fsprogs"}, {"zstd", "zstd"}, {"python3", "python3"}}};
  std::string missing, packages;
  for (const auto& [tool, package] : tools) {
    if (!vmm::find_in_path(tool).empty()) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(tool);
    packages += " " + std::string(package);
  }
  if (missing.empty()) return {"image-tools", CheckStatus::ok, "mmdebstrap and what it needs", ""};
  return {"image-tools", CheckStatus::warn, "no " + missing + ": images cannot be built here, only used", "apt install" + packages};
}

}  // namespace vigil::doctor

#include "guest/init/system_setup.hpp"

#include "guest/log/log.hpp"
#include "guest/process/small_file.hpp"
#include "shared/base/unique_fd.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::init {
namespace {

struct MountRow { const char *type, *target; unsigned long flags; const char* options; };

constexpr MountRow mounts[] = {
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=620,gid=5,ptmxmode=666"},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate"},
    {"tracefs", "/sys/kernel/tracing", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
};

void note(SetupResult& result, const std::string& what, int error) {
  result.problems.push_back(what + ": " + std::strerror(error));
  log::warning("init.setup_failed", {{"what", what}, {"err", std::strerror(error)}});
}

bool mount_row(const MountRow& row, SetupResult& result) {
  ::mkdir(row.target, 0755);
  if (::mount(row.type, row.target, row.type, row.flags, row.options) == 0 || errno == EBUSY) return true;
  note(result, std::string("mount ") + row.target, errno);
  return false;
}

void link_standard_names() {
  for (const auto& [name, target] : {std::pair{"/dev/fd", "/proc/self/fd"}, std::pair{"/dev/stdin", "/proc/self/fd/0"},
                                     std::pair{"/dev/stdout", "/proc/self/fd/1"}, std::pair{"/dev/stderr", "/proc/self/fd/2"}})
    [[maybe_unused]] const int ignored = ::symlink(target, name);
}

/// Of two X servers that make theirs at the same moment one goes on without its socket in the file system.
void make_socket_directories() {
  constexpr mode_t everybodys = 01777;
  for (const char* directory : {"/tmp/.X11-unix", "/tmp/.ICE-unix"})
    if (::mkdir(directory, 0755) == 0 && ::chmod(directory, everybodys) != 0) log::warning("init.directory_not_shared", {{"path", directory}});
}

void bring_loopback_up(SetupResult& result) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd || ::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) note(result, "lo up", errno);
}

}  // namespace

SetupResult set_up_system() {
  SetupResult result;
  ::umask(022);
  ::reboot(RB_DISABLE_CAD);   // Ctrl-Alt-Del becomes SIGINT to us, an orderly reboot
  for (const MountRow& row : mounts) {
    const bool mounted = mount_row(row, result);
    if (std::strcmp(row.type, "cgroup2") == 0) result.has_cgroups = mounted;
    if (std::strcmp(row.type, "tracefs") == 0) result.has_tracefs = mounted;
  }
  link_standard_names();
  make_socket_directories();
  if (result.has_cgroups) {
    for (const char* controller : {"+memory", "+pids", "+cpu", "+io"})
      if (const int error = process::write_control_file("/sys/fs/cgroup/cgroup.subtree_control", controller); error != 0)
        note(result, std::string("cgroup controller ") + controller, error);
  }
  bring_loopback_up(result);
  return result;
}

void set_host_name(const std::string& name) {
  std::string chosen = name.empty() ? process::read_small_file("/etc/hostname", 64).value_or("") : name;
  while (!chosen.empty() && (chosen.back() == '\n' || chosen.back() == ' ')) chosen.pop_back();
  if (chosen.empty()) chosen = "vigil";
  if (::sethostname(chosen.data(), chosen.size()) != 0) log::warning("init.host_name_refused", {{"err", std::strerror(errno)}});
}

}  // namespace vigil::guest::init

#include "guest/boot/switch_root.hpp"

#include "guest/boot/root_mounts.hpp"
#include "guest/log/log.hpp"
#include "guest/process/remove_tree.hpp"
#include "guest/process/small_file.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace vigil::guest::boot {
namespace {

using protocol::Cause;
using protocol::CauseCode;

Cause init_missing(const std::string& what, const char* path = agent_path) {
  return protocol::make_cause(CauseCode::boot_init_missing, {{"path", path}}, {what + ": " + std::strerror(errno)});
}

bool copy_self() {
  const UniqueFd source(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const UniqueFd target(::open(agent_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
  struct stat status {};
  if (!source || !target || ::fstat(source.get(), &status) != 0) return false;
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t count = ::sendfile(target.get(), source.get(), nullptr, static_cast<std::size_t>(left));
    if (count <= 0) return false;
    left -= count;
  }
  return true;
}

// The initramfs lies in memory until it is deleted. Only ever on a file system that is one.
void free_initramfs() {
  struct statfs status {};
  if (::statfs("/", &status) != 0 || (status.f_type != RAMFS_MAGIC && status.f_type != TMPFS_MAGIC)) return;
  for (const char* path : {"/lib", "/etc", "/init"}) process::remove_tree(path);
}

bool move_mounts() {
  for (const char* name : {"/dev", "/proc", "/sys", "/run"}) {
    const std::string target = std::string(new_root) + name;
    ::mkdir(target.c_str(), 0755);
    if (::mount(name, target.c_str(), nullptr, MS_MOVE, nullptr) != 0) {
      log::error("switch_root.move_failed", {{"mount", name}, {"err", std::strerror(errno)}});
      return false;
    }
  }
  return true;
}

Cause exec_systemd() {
  process::write_control_file("/proc/self/oom_score_adj", "0");   // its children would have ours
  const char* const argv[] = {"init", nullptr};
  const char* const env[] = {"TERM=dumb", nullptr};               // no escape sequences on the console
  ::execve(systemd_path, const_cast<char* const*>(argv), const_cast<char* const*>(env));
  return init_missing("exec", systemd_path);
}

}  // namespace

std::optional<Cause> install_agent() {
  ::mkdir("/run/vigil/bin", 0755);
  if (!copy_self()) return init_missing("copy the agent");
  for (const char* name : {"/run/vigil/bin/poweroff", "/run/vigil/bin/reboot", "/run/vigil/bin/halt"})
    if (::symlink("vigil-guest", name) != 0) log::warning("agent.link_failed", {{"path", name}, {"err", std::strerror(errno)}});
  return std::nullopt;
}

Cause switch_root_and_exec(InitMode mode) {
  if (!move_mounts()) return init_missing("move the mounts");
  if (::chdir(new_root) != 0) return init_missing("chdir");
  free_initramfs();
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0) return init_missing("switch root");
  if (mode == InitMode::systemd) return exec_systemd();
  const char* const argv[] = {"vigil-guest", "init", nullptr};
  const char* const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  ::execve(agent_path, const_cast<char* const*>(argv), const_cast<char* const*>(env));
  return init_missing("exec");
}

}  // namespace vigil::guest::boot

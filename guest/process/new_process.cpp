#include "guest/process/new_process.hpp"

#include "guest/process/file_limit.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace vigil::guest::process {
namespace {

// Sanitizers must not touch this code: it runs on a stack that they do not know.
#define VIGIL_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

VIGIL_IN_CHILD bool place_descriptors(const NewProcess& child) {
  const LaunchPlan& plan = *child.plan;
  int highest_target = 2;
  for (const PassedFd& passed : plan.passed)
    if (passed.target > highest_target) highest_target = passed.target;

  // First everything out of the way of the targets, so that no dup2 closes what a later one needs. Our table is a copy; exec closes the copies.
  const auto lift = [&](int fd) VIGIL_IN_CHILD { return fcntl(fd, F_DUPFD_CLOEXEC, highest_target + 1); };
  const int standard[3] = {lift(plan.stdin_fd >= 0 ? plan.stdin_fd : child.dev_null),
                           lift(plan.stdout_fd >= 0 ? plan.stdout_fd : child.dev_null),
                           lift(plan.stderr_fd >= 0 ? plan.stderr_fd : child.dev_null)};
  constexpr std::size_t max_passed = 16;
  int lifted[max_passed];
  if (plan.passed.size() > max_passed) {
    errno = EMFILE;
    return false;
  }
  for (std::size_t i = 0; i < plan.passed.size(); ++i) lifted[i] = lift(plan.passed.data()[i].fd);

  // Whatever we inherited without close-on-exec ends here; what is placed from now on stays.
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  for (int target = 0; target < 3; ++target)
    if (standard[target] < 0 || dup2(standard[target], target) < 0) return false;
  for (std::size_t i = 0; i < plan.passed.size(); ++i)
    if (lifted[i] < 0 || dup2(lifted[i], plan.passed.data()[i].target) < 0) return false;
  return true;
}

VIGIL_IN_CHILD bool set_limits(const NewProcess& child) {
  if (child.resets_oom_score) {
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file >= 0 && write(file, "0", 1) < 0) return false;
  }
  rlimit inherited{};
  if (!child.plan->nofile) {
    if (!child.lowers_file_limit || getrlimit(RLIMIT_NOFILE, &inherited) != 0 || inherited.rlim_cur <= files_of_a_program) return true;
    inherited.rlim_cur = files_of_a_program;
    return setrlimit(RLIMIT_NOFILE, &inherited) == 0;
  }
  const rlim_t count = *child.plan->nofile;
  const rlimit limit{count, count};
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// Raw system calls: glibc's wrappers tell all threads of the process, and the process's memory is still ours.
VIGIL_IN_CHILD bool set_groups(const Credentials& credentials) {
  return syscall(SYS_setgroups, credentials.groups.size(), credentials.groups.data()) == 0 &&
         syscall(SYS_setresgid, credentials.gid, credentials.gid, credentials.gid) == 0;
}

VIGIL_IN_CHILD bool set_user(const Credentials& credentials) {
  return syscall(SYS_setresuid, credentials.uid, credentials.uid, credentials.uid) == 0;
}

VIGIL_IN_CHILD long control(int option, unsigned long first, unsigned long second) {
  return syscall(SYS_prctl, option, first, second, 0UL, 0UL);
}

// While it is still root: afterwards the bounding set cannot be changed. Of numbers that it does not know the kernel says so.
VIGIL_IN_CHILD bool limit_capabilities(std::uint64_t kept) {
  for (unsigned long number = 0; number < 64; ++number) {
    if ((kept >> number & 1U) != 0 || control(PR_CAPBSET_READ, number, 0) <= 0) continue;
    if (control(PR_CAPBSET_DROP, number, 0) < 0) return false;
  }
  return control(PR_SET_KEEPCAPS, 1, 0) == 0;
}

// As the user that it is now. Ambient: a program without file capabilities has them after exec.
VIGIL_IN_CHILD bool take_capabilities(std::uint64_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const auto low = static_cast<__u32>(kept), high = static_cast<__u32>(kept >> 32);
  const __user_cap_data_struct data[2] = {{low, low, low}, {high, high, high}};
  if (syscall(SYS_capset, &header, data) < 0) return false;
  for (unsigned long number = 0; number < 64; ++number)
    if ((kept >> number & 1U) != 0 && control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number) < 0) return false;
  return true;
}

VIGIL_IN_CHILD bool become_user(NewProcess& child) {
  const LaunchPlan& plan = *child.plan;
  child.step = LaunchStep::capabilities;
  if (plan.capabilities && !limit_capabilities(*plan.capabilities)) return false;
  if (plan.credentials) {
    child.step = LaunchStep::groups;
    if (!set_groups(*plan.credentials)) return false;
    child.step = LaunchStep::user;
    if (!set_user(*plan.credentials)) return false;
  }
  child.step = LaunchStep::capabilities;
  if (plan.capabilities && !take_capabilities(*plan.capabilities)) return false;
  return !plan.no_new_privs || control(PR_SET_NO_NEW_PRIVS, 1, 0) == 0;
}

VIGIL_IN_CHILD void reset_signals(std::uint32_t ignored) {
  // CLONE_CLEAR_SIGHAND reset the handlers; what the parent ignores is still ignored and would stay so through exec.
  for (int signal = 1; signal < 32; ++signal)
    if ((ignored >> (signal - 1) & 1U) != 0) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

VIGIL_IN_CHILD bool prepare(NewProcess& child) {
  const LaunchPlan& plan = *child.plan;
  child.step = LaunchStep::session;
  if (setsid() < 0) return false;
  child.step = LaunchStep::descriptors;
  if (!place_descriptors(child)) return false;
  child.step = LaunchStep::terminal;
  if (plan.has_terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) return false;
  child.step = LaunchStep::limits;
  if (!set_limits(child)) return false;
  if (!become_user(child)) return false;
  child.step = LaunchStep::cwd;
  return chdir(plan.cwd.c_str()) == 0;
}

}  // namespace

VIGIL_IN_CHILD void become_program(void* new_process) {
  NewProcess& child = *static_cast<NewProcess*>(new_process);
  if (prepare(child)) {
    umask(022);
    reset_signals(child.ignored_signals);
    child.step = LaunchStep::exec;
    execve(child.argv[0], child.argv, child.env);
  }
  child.error = errno;
  _exit(127);
}

}  // namespace vigil::guest::process

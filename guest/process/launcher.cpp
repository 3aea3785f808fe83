#include "guest/process/launcher.hpp"

#include "guest/process/file_limit.hpp"
#include "guest/process/new_process.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace vigil::guest::process {
namespace {

constexpr std::size_t stack_bytes = 64 * 1024;   // only touched pages cost memory

/// clone3(2) whose child runs `entry(argument)` on the stack given in `args`. In the child nothing of this frame may be used, hence the assembly.
__attribute__((noinline, no_sanitize("address", "thread", "undefined"))) long clone_onto_stack(clone_args& args, void (*entry)(void*),
                                                                                               void* argument) {
  static_assert(sizeof(void*) == 8, "written for x86-64");
  long result = SYS_clone3;
  register void* child_argument __asm__("r13") = argument;
  register void (*child_entry)(void*) __asm__("r12") = entry;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(&args), "S"(sizeof args), "r"(child_argument), "r"(child_entry)
      : "rcx", "r11", "memory");
  return result;
}

/// All signals blocked while the child shares our memory: it lifts the block itself, just before exec.
class BlockedSignals {
public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &previous_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() { sigprocmask(SIG_SETMASK, &previous_, nullptr); }

private:
  sigset_t previous_{};
};

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool has_oom_score() {
  UniqueFd file(open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC));
  char text[16] = {};
  const ssize_t length = file ? read(file.get(), text, sizeof text - 1) : 0;
  return length > 0 && std::atoi(text) != 0;
}

/// Asked once: nobody starts to ignore a signal later, and a child has better to do.
std::uint32_t ignored_signals() {
  std::uint32_t ignored = 0;
  for (int signal = 1; signal < 32; ++signal) {
    struct sigaction action{};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) ignored |= 1U << (signal - 1);
  }
  return ignored;
}

MonoUs now_us() { return SystemClock().mono_us(); }

}  // namespace

Launcher::Launcher() : dev_null_(open("/dev/null", O_RDWR | O_CLOEXEC)), resets_oom_score_(has_oom_score()), ignored_signals_(ignored_signals()) {
  void* memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();  // 64 KiB at start: without them nothing can run
  stack_ = memory;
}

Launcher::~Launcher() { munmap(stack_, stack_bytes); }

std::variant<Launched, LaunchFailure> Launcher::launch(const LaunchPlan& plan) {
  if (plan.argv.empty()) return LaunchFailure{LaunchStep::exec, EINVAL, 0};
  const std::vector<char*> argv = pointers_to(plan.argv);
  const std::vector<char*> env = pointers_to(plan.env);
  NewProcess child{.plan = &plan,
                   .argv = argv.data(),
                   .env = env.data(),
                   .dev_null = dev_null_.get(),
                   .resets_oom_score = resets_oom_score_,
                   .lowers_file_limit = has_raised_file_limit(),
                   .ignored_signals = ignored_signals_};

  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.exit_signal = SIGCHLD;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.stack = reinterpret_cast<std::uintptr_t>(stack_);
  args.stack_size = stack_bytes;
  if (plan.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(plan.cgroup_fd);
  }

  const MonoUs started_us = now_us();
  const int saved_errno = errno;  // the child writes ours
  long pid = 0;
  {
    const BlockedSignals blocked;
    pid = clone_onto_stack(args, become_program, &child);
  }
  errno = saved_errno;
  if (pid < 0) return LaunchFailure{LaunchStep::clone, static_cast<int>(-pid), 0};
  Launched launched{static_cast<pid_t>(pid), UniqueFd(pidfd), started_us};
  if (child.error == 0) return launched;
  return LaunchFailure{child.step, child.error, static_cast<pid_t>(pid)};
}

}  // namespace vigil::guest::process

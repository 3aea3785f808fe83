#include "guest/process/reaper.hpp"

#include "guest/process/small_file.hpp"
#include "shared/base/clock.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace vigil::guest::process {
namespace {

constexpr std::chrono::seconds start_over(1);   // no launch for so long
constexpr int burials_per_turn = 256;   // a fork bomb's orphans must not keep the loop from the rest

std::uint64_t to_us(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

protocol::ExitStatus exit_status_of(int wait_status) {
  if (WIFEXITED(wait_status)) return protocol::ExitCode{WEXITSTATUS(wait_status)};
  if (WIFSIGNALED(wait_status)) return protocol::ExitSignal{WTERMSIG(wait_status), WCOREDUMP(wait_status) != 0};
  return protocol::ExitUnknown{"wait status " + std::to_string(wait_status)};
}

std::string directory_of(pid_t pid) { return "/proc/" + std::to_string(pid); }
std::string comm_of(pid_t pid) { return directory_of(pid) + "/comm"; }

/// What only the zombie can still tell; gone once it is reaped. A replacement waits for this: of one that is expected it is known where it was.
/// `comm`: of one that is expected, open or not.
ProcessEnd inspect_zombie(pid_t pid, const UniqueFd* comm) {
  ProcessEnd end;
  end.pid = pid;
  end.ended_us = SystemClock().mono_us();
  end.comm = comm != nullptr && *comm ? read_value(*comm) : read_value(comm_of(pid));   // a fraction of what its stat costs the kernel
  if (comm != nullptr) return end;
  if (const auto cgroup = read_small_file(directory_of(pid) + "/cgroup")) end.cgroup = parse_cgroup_v2(*cgroup);
  return end;
}

}  // namespace

Reaper::Reaper(EventLoop& loop) : loop_(loop) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &previous_mask_);
  signals_.reset(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw std::runtime_error("signalfd for SIGCHLD");
  if (getpid() != 1) prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Before the ends of the dead one's pipes: its owner takes their last words, and closes them when the replacement runs.
  token_ = loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { collect(); }, EventLoop::Rank::first);
}

Reaper::~Reaper() {
  token_.cancel();
  sigprocmask(SIG_SETMASK, &previous_mask_, nullptr);
}

void Reaper::expect(pid_t pid, DeathHandler handler) { expected_.insert_or_assign(pid, Expected{std::move(handler), {}, false}); }

void Reaper::expect_soon_replaced(pid_t pid, DeathHandler handler) {
  expected_.insert_or_assign(pid, Expected{std::move(handler), {}, true});
  opening_names_ = loop_.after(start_over, [this] { open_names(); });
}

void Reaper::open_names() {
  for (auto& [pid, expected] : expected_)
    if (expected.is_soon_replaced && !expected.comm) expected.comm.reset(open(comm_of(pid).c_str(), O_RDONLY | O_CLOEXEC));
}

void Reaper::expect_again(pid_t pid, DeathHandler handler) {
  expect(pid, std::move(handler));
  siginfo_t dead{};
  if (waitid(P_PID, static_cast<id_t>(pid), &dead, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (dead.si_pid != 0) kill(getpid(), SIGCHLD);   // its own signal may have been taken by the life before
    return;
  }
  loop_.post([this, pid, alive = std::weak_ptr(alive_)] {
    auto owner = alive.lock() ? expected_.extract(pid) : decltype(expected_)::node_type();
    if (!owner) return;
    ProcessEnd end;
    end.pid = pid;
    end.status = protocol::ExitUnknown{"it ended while the agent was replaced"};
    end.ended_us = loop_.now_us();
    owner.mapped().handler(end);
  });
}

void Reaper::forget(pid_t pid) { expected_.erase(pid); }

void Reaper::collect() {
  signalfd_siginfo signal;
  pid_t told = 0;   // by the kernel; signals that meet become one, so it is one of the dead, and its owner need not wait for the search
  while (read(signals_.get(), &signal, sizeof signal) > 0)
    if (signal.ssi_code == CLD_EXITED || signal.ssi_code == CLD_KILLED || signal.ssi_code == CLD_DUMPED) told = static_cast<pid_t>(signal.ssi_pid);
  if (told > 0) bury(told);
  for (int buried = 0; buried < burials_per_turn; ++buried) {
    siginfo_t dead{};
    if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) != 0 || dead.si_pid == 0) return;
    bury(dead.si_pid);
  }
  kill(getpid(), SIGCHLD);   // more are left: the signalfd wakes us again after everybody else's turn
}

void Reaper::bury(pid_t pid) {
  auto owner = expected_.extract(pid);
  ProcessEnd end = inspect_zombie(pid, owner ? &owner.mapped().comm : nullptr);
  int status = 0;
  rusage usage{};
  if (wait4(pid, &status, WNOHANG, &usage) != pid) {
    if (owner) expected_.insert(std::move(owner));
    return;
  }
  end.status = exit_status_of(status);
  end.user_us = to_us(usage.ru_utime);
  end.system_us = to_us(usage.ru_stime);
  end.max_rss_kib = static_cast<std::uint64_t>(usage.ru_maxrss);

  if (owner) {
    owner.mapped().handler(end);
    return;
  }
  ++orphans_;
  if (orphan_handler_) orphan_handler_(end);
}

}  // namespace vigil::guest::process

// The only caller of wait*: tells each process's owner how it ended, and takes from the zombie what is lost once it is reaped.
//
// Shape:  one Reaper an agent. It owns SIGCHLD (blocked, read through a signalfd) and makes the agent a subreaper when it is not PID 1, so that
//         orphans of the services arrive here too.
// Source: waitid(2) WNOWAIT, proc(5). Thread: the loop's; handlers run from the loop.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/process_end.hpp"

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

namespace vigil::guest::process {

class Reaper {
public:
  using DeathHandler = std::function<void(const ProcessEnd&)>;

  explicit Reaper(EventLoop& loop);
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  ~Reaper();

  /// Calls `handler` once when `pid`, a child just launched, has died. Replaces an earlier one.
  void expect(pid_t pid, DeathHandler handler);
  /// As expect(), of a child whose replacement will wait for its burial: what tells its name is opened while nobody waits, the way through /proc costs ten times the reading.
  void expect_soon_replaced(pid_t pid, DeathHandler handler);
  /// As expect(), of a child that an earlier life of the agent has launched: dead already, it is told in the loop's next turn; reaped already, as well, with a status that nobody knows.
  void expect_again(pid_t pid, DeathHandler handler);
  /// The process will be reaped as nobody's.
  void forget(pid_t pid);
  /// For deaths that nobody expects: orphans that became ours.
  void on_orphan(DeathHandler handler) { orphan_handler_ = std::move(handler); }
  std::uint64_t orphans() const { return orphans_; }

  /// Reaps what is dead now, a bounded number at once. The loop calls it; shutdown may.
  void collect();

private:
  struct Expected {
    DeathHandler handler;
    UniqueFd comm;   // of /proc; empty: opened at the death
    bool is_soon_replaced = false;
  };
  void bury(pid_t pid);
  void open_names();

  EventLoop& loop_;
  sigset_t previous_mask_{};
  UniqueFd signals_;
  std::unordered_map<pid_t, Expected> expected_;
  DeathHandler orphan_handler_;
  std::uint64_t orphans_ = 0;
  LoopToken token_;
  LoopToken opening_names_;   // when what was just started has started
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);   // posted calls outlive us
};

}  // namespace vigil::guest::process

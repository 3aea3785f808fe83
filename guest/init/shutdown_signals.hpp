// The signals that ask the agent to end, and who sent them.
//
// Shape:  SIGPWR, SIGUSR2 (busybox poweroff), SIGUSR1 (busybox halt) power off; SIGINT (Ctrl-Alt-Del) reboots; SIGTERM powers off, unless its sender is called
//         reboot (busybox reboot sends SIGTERM). A sender that is gone already cannot be asked for its name.
// Source: signalfd(2); busybox init.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/protocol/report.hpp"

#include <csignal>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::guest::init {

struct ShutdownAsk {
  protocol::ByeReport::Kind kind = protocol::ByeReport::Kind::poweroff;
  std::string asked_by;               // "signal SIGPWR", "pid 312 (poweroff)"
  bool host_asked = false;
};

/// Pure: what this signal from this sender means. `sender` is its command, empty when unknown or the kernel.
ShutdownAsk meaning_of(int signal, std::int64_t sender_pid, std::string_view sender);

class ShutdownSignals {
public:
  ShutdownSignals(EventLoop& loop, std::function<void(const ShutdownAsk&)> asked);
  ShutdownSignals(const ShutdownSignals&) = delete;
  ShutdownSignals& operator=(const ShutdownSignals&) = delete;
  ~ShutdownSignals();

private:
  void take();

  std::function<void(const ShutdownAsk&)> asked_;
  sigset_t previous_mask_{};
  UniqueFd signals_;
  LoopToken token_;
};

}  // namespace vigil::guest::init

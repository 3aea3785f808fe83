// Tells when somebody sets the machine's wall clock: a timer that the kernel cancels in that moment. What we do to the clock ourselves is not a jump.
//
// Source: timerfd_create(2) TFD_TIMER_CANCEL_ON_SET. Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <functional>

namespace vigil::guest::health {

class ClockWatch {
public:
  /// `jumped`: by how many microseconds, when it was ten seconds or more.
  ClockWatch(EventLoop& loop, std::function<void(std::int64_t)> jumped);
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

  /// What the clock says now is as it should be: slewed, or set by us.
  void rebase();

private:
  void arm();
  void was_set();

  EventLoop& loop_;
  std::function<void(std::int64_t)> jumped_;
  std::int64_t base_us_ = 0;  // wall clock less boot clock
  UniqueFd timer_;
  LoopToken token_;
};

}  // namespace vigil::guest::health

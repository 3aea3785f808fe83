// Notices that the wall clock was set, and by how much: a service's deadlines, certificates and logs may be wrong from there on.
//
// Shape:  a timer that the kernel cancels when CLOCK_REALTIME is set (TFD_TIMER_CANCEL_ON_SET); nothing is polled.
// Source: timerfd_create(2). Steps below `tolerated` are what NTP does.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace vigil::guest::health {

inline constexpr std::chrono::seconds tolerated_step{10};

class ClockWatch {
public:
  /// `jumped` is given the step in seconds, forward or back.
  ClockWatch(EventLoop& loop, std::function<void(std::int64_t seconds)> jumped);

  /// The clock has just been set on purpose.
  void forgive() { offset_us_ = read_offset_us(); }

private:
  void arm();
  void fired();
  static std::int64_t read_offset_us();   // CLOCK_REALTIME minus CLOCK_BOOTTIME

  std::function<void(std::int64_t)> jumped_;
  std::int64_t offset_us_;
  UniqueFd timer_;
  LoopToken watch_;
};

}  // namespace vigil::guest::health

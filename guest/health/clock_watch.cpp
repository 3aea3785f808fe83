#include "guest/health/clock_watch.hpp"

#include "guest/log/log.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>
#include <utility>

namespace vigil::guest::health {
namespace {

std::int64_t read_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

ClockWatch::ClockWatch(EventLoop& loop, std::function<void(std::int64_t)> jumped)
    : jumped_(std::move(jumped)), offset_us_(read_offset_us()), timer_(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (!timer_) {
    log::warning("clock.not_watched", {{"err", std::strerror(errno)}});
    return;
  }
  arm();
  watch_ = loop.watch(timer_.get(), EPOLLIN, [this](std::uint32_t) { fired(); });
}

void ClockWatch::arm() {
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();   // 2038: the kernel's cancellation is what is waited for
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) != 0)
    log::warning("clock.not_watched", {{"err", std::strerror(errno)}});
}

void ClockWatch::fired() {
  std::uint64_t expired = 0;
  if (::read(timer_.get(), &expired, sizeof expired) < 0 && errno != ECANCELED) return;
  arm();
  const std::int64_t now_us = read_offset_us(), moved_us = now_us - std::exchange(offset_us_, now_us);
  const std::int64_t seconds = moved_us / 1'000'000;
  if (seconds >= tolerated_step.count() || seconds <= -tolerated_step.count()) jumped_(seconds);
}

std::int64_t ClockWatch::read_offset_us() { return read_us(CLOCK_REALTIME) - read_us(CLOCK_BOOTTIME); }

}  // namespace vigil::guest::health

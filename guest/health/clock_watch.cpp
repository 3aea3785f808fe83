#include "guest/health/clock_watch.hpp"

#include "shared/base/clock.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <ctime>
#include <utility>

namespace vigil::guest::health {
namespace {

constexpr std::int64_t smallest_jump_us = 10'000'000;   // less is what NTP does

std::int64_t wall_less_boot_us() {
  const SystemClock clock;
  return static_cast<std::int64_t>(clock.unix_us()) - static_cast<std::int64_t>(clock.mono_us());
}

}  // namespace

ClockWatch::ClockWatch(EventLoop& loop, std::function<void(std::int64_t)> jumped)
    : loop_(loop), jumped_(std::move(jumped)), timer_(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  rebase();
  if (!timer_) return;
  arm();
  token_ = loop_.watch(timer_.get(), EPOLLIN, [this](std::uint32_t) { was_set(); });
}

void ClockWatch::rebase() { base_us_ = wall_less_boot_us(); }

void ClockWatch::arm() {
  itimerspec never{};
  never.it_value.tv_sec = std::time(nullptr) + 10LL * 365 * 86'400;   // it must be armed to be cancelled
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr);
}

void ClockWatch::was_set() {
  std::uint64_t expired = 0;
  [[maybe_unused]] const ssize_t ignored = read(timer_.get(), &expired, sizeof expired);   // ECANCELED; the next one arms it anew
  arm();
  const std::int64_t now = wall_less_boot_us(), by = now - std::exchange(base_us_, now);
  if (by >= smallest_jump_us || by <= -smallest_jump_us) jumped_(by);
}

}  // namespace vigil::guest::health

#include "guest/init/wall_clock.hpp"

#include "guest/log/log.hpp"

#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace vigil::guest::init {
namespace {

constexpr std::int64_t set_beyond_us = 1'000'000, slew_beyond_us = 5'000;

bool is_beyond(std::int64_t difference_us, std::int64_t limit_us) { return difference_us > limit_us || difference_us < -limit_us; }

bool set_clock(std::int64_t unix_us, std::int64_t moved_us) {
  timespec now{};
  now.tv_sec = static_cast<time_t>(unix_us / 1'000'000);
  now.tv_nsec = static_cast<long>(unix_us % 1'000'000 * 1'000);
  const bool set = ::clock_settime(CLOCK_REALTIME, &now) == 0;
  if (set) log::info("clock.set", {{"moved_ms", moved_us / 1'000}});
  else log::warning("clock.not_set", {{"err", std::strerror(errno)}});
  return set;
}

}  // namespace

void adopt_wall_clock(UnixUs host_unix_us) {
  const auto host = static_cast<std::int64_t>(host_unix_us), difference = host - static_cast<std::int64_t>(SystemClock().unix_us());
  if (host_unix_us != 0 && is_beyond(difference, set_beyond_us)) set_clock(host, difference);
}

std::optional<std::int64_t> OffsetFilter::add(std::int64_t offset_us) {
  least_us_ = count_ == 0 ? offset_us : std::min(least_us_, offset_us);
  if (++count_ < samples) return std::nullopt;
  count_ = 0;
  return least_us_;
}

WallClock::Did WallClock::heard(std::int64_t guest_less_host_us) {
  const auto offset = filter_.add(guest_less_host_us);
  if (!offset || !is_beyond(*offset, slew_beyond_us)) return Did::nothing;
  if (is_beyond(*offset, set_beyond_us))
    return set_clock(static_cast<std::int64_t>(SystemClock().unix_us()) - *offset, -*offset) ? Did::set : Did::nothing;
  timeval by{};
  by.tv_sec = -*offset / 1'000'000;
  by.tv_usec = -*offset % 1'000'000;
  return ::adjtime(&by, nullptr) == 0 ? Did::slewed : Did::nothing;
}

}  // namespace vigil::guest::init

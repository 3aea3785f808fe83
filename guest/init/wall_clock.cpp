#include "guest/init/wall_clock.hpp"

#include "guest/log/log.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>

namespace vigil::guest::init {

void adopt_wall_clock(UnixUs host_unix_us) {
  constexpr std::int64_t tolerated_us = 1'000'000;
  const auto difference = static_cast<std::int64_t>(host_unix_us) - static_cast<std::int64_t>(SystemClock().unix_us());
  if (host_unix_us == 0 || (difference <= tolerated_us && difference >= -tolerated_us)) return;
  timespec now{};
  now.tv_sec = static_cast<time_t>(host_unix_us / 1'000'000);
  now.tv_nsec = static_cast<long>(host_unix_us % 1'000'000 * 1'000);
  if (::clock_settime(CLOCK_REALTIME, &now) != 0) log::warning("clock.not_set", {{"err", std::strerror(errno)}});
  else log::info("clock.set", {{"moved_ms", difference / 1'000}});
}

}  // namespace vigil::guest::init

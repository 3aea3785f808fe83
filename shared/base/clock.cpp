#include "shared/base/clock.hpp"

#include <ctime>

namespace vigil {

namespace {

std::uint64_t read_us(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);   // fails only for a clock that the kernel does not have
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

}  // namespace

MonoUs SystemClock::mono_us() const { return read_us(CLOCK_BOOTTIME); }
UnixUs SystemClock::unix_us() const { return read_us(CLOCK_REALTIME); }

}  // namespace vigil

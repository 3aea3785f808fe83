// Time, injected so that pure code can be tested. Monotonic for intervals, wall time only for people.
#pragma once

#include <cstdint>

namespace vigil {

using MonoUs = std::uint64_t;       // CLOCK_BOOTTIME of whoever says it, in microseconds
using UnixUs = std::uint64_t;       // wall time in microseconds since 1970

class Clock {
public:
  virtual ~Clock() = default;
  virtual MonoUs mono_us() const = 0;
  virtual UnixUs unix_us() const = 0;
};

class SystemClock final : public Clock {
public:
  MonoUs mono_us() const override;
  UnixUs unix_us() const override;
};

}  // namespace vigil

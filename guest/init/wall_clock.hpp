// Keeps the VM's wall clock by the host's: set at once when it is far off, slewed while it runs. Only in a VM of ours; there is no other source of time.
#pragma once

#include "shared/base/clock.hpp"

#include <cstdint>
#include <optional>

namespace vigil::guest::init {

/// Sets the clock when the two differ by more than a second.
void adopt_wall_clock(UnixUs host_unix_us);

/// The guest's clock less the host's, from what the host said and when that came: late words make it too large, never too small, so the least of eight is the
/// best. Pure.
class OffsetFilter {
public:
  static constexpr int samples = 8;
  /// The best of the last eight, once in eight.
  std::optional<std::int64_t> add(std::int64_t offset_us);

private:
  int count_ = 0;
  std::int64_t least_us_ = 0;
};

class WallClock {
public:
  enum class Did { nothing, slewed, set };
  Did heard(std::int64_t guest_less_host_us);

private:
  OffsetFilter filter_;
};

}  // namespace vigil::guest::init

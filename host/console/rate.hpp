// So many at once, then so many a second; what is over is counted. Private to this folder.
#pragma once

#include "shared/base/clock.hpp"

#include <algorithm>
#include <cstdint>

namespace vigil::console {

class Rate {
public:
  Rate(std::uint64_t burst, std::uint64_t per_second) : burst_us_(burst * 1'000'000 / per_second), cost_us_(1'000'000 / per_second) {}

  bool allows(MonoUs now_us) {
    paid_until_ = std::max(paid_until_, now_us);
    if (paid_until_ + cost_us_ > now_us + burst_us_) return false;
    paid_until_ += cost_us_;
    return true;
  }

private:
  MonoUs burst_us_, cost_us_;
  MonoUs paid_until_ = 0;
};

}  // namespace vigil::console

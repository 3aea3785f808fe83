// How many bytes a second somebody may bring on average, and as many at once. Pure.
#pragma once

#include "shared/base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace vigil::logs {

class ByteRate {
  public:
    ByteRate(std::uint64_t per_second, MonoUs now) : per_second_(std::max<std::uint64_t>(per_second, 1)), left_(static_cast<double>(per_second_)), at_(now) {}

    /// Takes them into account; how long to pause before the next ones: zero, or until half of a second's bytes may come again.
    std::chrono::microseconds take(std::uint64_t bytes, MonoUs now) {
        const double rate = static_cast<double>(per_second_);
        left_ = std::min(rate, left_ + rate * static_cast<double>(now - std::min(now, at_)) / 1e6) - static_cast<double>(bytes);
        at_ = now;
        if (left_ > 0) return std::chrono::microseconds(0);
        return std::chrono::microseconds(static_cast<std::int64_t>((rate / 2 - left_) / rate * 1e6));
    }

  private:
    std::uint64_t per_second_;
    double left_;
    MonoUs at_;
};

}  // namespace vigil::logs

// How fast a guest may talk: a bucket of tokens, refilled steadily. Pure.
#pragma once

#include "shared/base/clock.hpp"

#include <chrono>
#include <cstdint>

namespace vigil::guest_link {

class RateLimit {
  public:
    /// `per_second` messages a second on average, and as many in one burst.
    RateLimit(std::uint64_t per_second, MonoUs now) : per_second_(per_second), tokens_us_(full()), at_(now) {}

    /// Takes one message into account; false: the bucket is empty and reading should pause.
    bool take(MonoUs now);
    /// How long to pause until half of the bucket is full again, so that pauses do not come in a stutter.
    std::chrono::microseconds pause(MonoUs now);

  private:
    // Tokens are counted in microseconds times rate: one message is 1'000'000, which keeps everything in whole numbers.
    static constexpr std::uint64_t one_message = 1'000'000;
    std::uint64_t full() const { return per_second_ * one_message; }
    void refill(MonoUs now);

    std::uint64_t per_second_;
    std::uint64_t tokens_us_;
    MonoUs at_;
};

}  // namespace vigil::guest_link

#include "host/guest_link/rate_limit.hpp"

#include <algorithm>

namespace vigil::guest_link {

void RateLimit::refill(MonoUs now) {
    const MonoUs passed = std::min<MonoUs>(now > at_ ? now - at_ : 0, 1'000'000);  // a second fills it
    tokens_us_ = std::min(full(), tokens_us_ + passed * per_second_);
    at_ = now;
}

bool RateLimit::take(MonoUs now) {
    refill(now);
    if (tokens_us_ < one_message) return false;
    tokens_us_ -= one_message;
    return true;
}

std::chrono::microseconds RateLimit::pause(MonoUs now) {
    refill(now);
    const std::uint64_t wanted = full() / 2;
    if (tokens_us_ >= wanted) return std::chrono::microseconds(0);
    return std::chrono::microseconds((wanted - tokens_us_) / per_second_ + 1);
}

}  // namespace vigil::guest_link

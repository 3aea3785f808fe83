#include "host/blackbox/retention.hpp"

#include <algorithm>

namespace vigil::blackbox {

std::vector<Discard> choose_discards(std::vector<StoredBox> boxes, const KeepLimits& limits, UnixUs now) {
    std::ranges::sort(boxes, {}, &StoredBox::made_unix_us);
    std::uint64_t count = boxes.size(), bytes = 0;
    for (const auto& box : boxes) bytes += box.bytes;
    const auto age_us = static_cast<std::uint64_t>(std::chrono::microseconds(limits.age).count());
    std::vector<Discard> discards;
    for (const auto& box : boxes) {
        const bool is_old = age_us != 0 && box.made_unix_us + age_us < now;
        const bool are_many = limits.count != 0 && count > limits.count;
        const bool are_large = limits.bytes != 0 && bytes > limits.bytes;
        if (!is_old && !are_many && !are_large) break;
        std::string rule = "older than " + std::to_string(limits.age.count() / 24) + " days";
        if (!is_old && are_many) rule = "more than " + std::to_string(limits.count) + " boxes";
        if (!is_old && !are_many) rule = "more than " + std::to_string(limits.bytes >> 20) + " MiB of boxes";
        discards.push_back({box.name, std::move(rule)});
        --count;
        bytes -= box.bytes;
    }
    return discards;
}

}  // namespace vigil::blackbox

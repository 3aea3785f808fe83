// Which boxes go, and by which rule. Pure: policy as data, inputs as arguments.
//
// Shape:  first those that are too old, then the oldest until their number and their size fit. Limits of 0 do not limit.
#pragma once

#include "host/blackbox/box_name.hpp"
#include "shared/base/clock.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace vigil::blackbox {

struct KeepLimits {
    std::chrono::hours age{24 * 30};
    std::uint64_t count = 10'000;
    std::uint64_t bytes = 4ULL << 30;
};

struct StoredBox {
    BoxName name;
    UnixUs made_unix_us = 0;
    std::uint64_t bytes = 0;
};

struct Discard {
    BoxName name;
    std::string rule;   // "older than 30 days", ...: for the log
};

std::vector<Discard> choose_discards(std::vector<StoredBox> boxes, const KeepLimits& limits, UnixUs now);

}  // namespace vigil::blackbox

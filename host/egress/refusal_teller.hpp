// Refusals as events, bounded: a program that tries again and again must not fill the store.
//
// Shape:  the same cause for the same host is told at once and then at most every ten seconds, with how often it happened since it was last told. Of more than
//         max_kept different ones at a time the oldest is forgotten; more than max_a_minute events in a minute wait for the next that may be told.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/protocol/cause.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace vigil::egress {

class RefusalTeller {
  public:
    static constexpr std::size_t max_kept = 64, max_a_minute = 20;
    static constexpr MonoUs quiet_us = 10'000'000;

    /// How many to tell of now; nullopt: keep quiet.
    std::optional<std::uint64_t> happened(const protocol::Cause& cause, MonoUs now);

  private:
    struct Kept {
        MonoUs told = 0;
        std::uint64_t since = 0;
    };
    std::map<std::string, Kept> kept_;
    std::deque<MonoUs> recent_;     // times of what was told in the last minute
};

}  // namespace vigil::egress

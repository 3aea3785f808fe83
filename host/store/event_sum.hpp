// What tells that a row of the log is as it was written: SQLite's pages have no sums of their own, and a bit that flips in a text breaks nothing that it checks.
#pragma once

#include "host/machine/event_codec.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil::store {

/// CRC-32C over all that an event says, its body as it is kept; not over `seq`, by which it was found.
std::uint32_t sum_of(const machine::EncodedEvent& event, std::string_view body);

/// `sum`: as it was stored; nullopt for rows of before there were sums. Errors: Errc::io naming the event.
Result<void> check_sum(const machine::EncodedEvent& event, std::optional<std::uint64_t> sum);

}  // namespace vigil::store

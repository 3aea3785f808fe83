// How much the processes stall for processor, memory and storage, as the kernel counts it.
//
// Source: Documentation/accounting/psi.rst. Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/protocol/report.hpp"

#include <functional>
#include <optional>
#include <string_view>

namespace vigil::guest::health {

struct StallShares {
  std::uint32_t some_permille = 0, full_permille = 0;
};
/// The ten-second averages of one file; nullopt when it is not such a file. Pure.
std::optional<StallShares> parse_pressure(std::string_view text);

/// nullopt on a kernel without it.
std::optional<protocol::Pressure> read_pressure();

/// Tells at once when all processes together stalled for memory for 300 ms of two seconds; the kernel watches, nothing is polled.
class MemoryStallWatch {
public:
  MemoryStallWatch(EventLoop& loop, std::function<void()> stalled);

private:
  UniqueFd trigger_;
  LoopToken token_;
};

}  // namespace vigil::guest::health

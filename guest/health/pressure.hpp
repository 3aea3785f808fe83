// How much the processes stall for processor, memory and storage, as the kernel counts it.
//
// Source: Documentation/accounting/psi.rst.
#pragma once

#include "shared/protocol/report.hpp"

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

}  // namespace vigil::guest::health

// KeptAgent <-> bytes, between two builds of the agent.
//
// Shape:  pure. A head (magic, version, length, CRC-32C), then records; a record tells its length, so that a build skips members that it does not know, and has defaults for
//         those that it misses. New members go to the end of their record; the version rises when an old reader would misunderstand.
// Errors: Errc::unsupported for another version, Errc::invalid for everything that is cut, longer than a limit, or says nonsense.
#pragma once

#include "guest/upgrade/kept_agent.hpp"
#include "shared/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::upgrade {

inline constexpr std::uint32_t state_version = 1;
inline constexpr std::size_t max_state_bytes = 64 << 20;  // 32 crash reports with full tails, a tail of 128 KiB a service, 256 streams

struct Encoded {
  std::string bytes;
  std::vector<int> descriptors;  // all that have to stay open
};

Encoded encode(const KeptAgent& kept);

struct Decoded {
  KeptAgent kept;
  std::vector<int> descriptors;
};
Result<Decoded> decode(std::string_view bytes);

}  // namespace vigil::guest::upgrade

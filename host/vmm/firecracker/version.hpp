// Which Firecracker it is, and what that version can do.
//
// Source: Firecracker's changelog: PUT /serial since 1.14 (#5350); a guest that was paused and resumed without a snapshot takes no new connections of the
//         host in 1.16 (#6100).
#pragma once

#include "shared/base/result.hpp"

#include <compare>
#include <string>
#include <string_view>

namespace vigil::vmm::firecracker {

struct Version {
  int major = 0, minor = 0, patch = 0;
  friend auto operator<=>(const Version&, const Version&) = default;
};

/// Of "Firecracker v1.16.1", "1.16.1" or "1.17.0-dev". Errors: Errc::invalid with the text.
Result<Version> parse_version(std::string_view text);
std::string to_text(const Version& version);

bool has_serial(const Version& version);
bool survives_bare_pause(const Version& version);

/// The oldest that this driver speaks with.
inline constexpr Version oldest{1, 4, 0};

/// Asks `program --version`; blocks for some 10 ms. Errors: Errc::unavailable when it does not say, Errc::unsupported when it is too old.
Result<Version> ask_version(const std::string& program);

}  // namespace vigil::vmm::firecracker

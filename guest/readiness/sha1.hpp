// SHA-1, for the one place that demands it: the answer to a WebSocket upgrade. Not for anything that must be secure.
// Source: FIPS 180-4; RFC 6455 §4.2.2.
#pragma once

#include <string>
#include <string_view>

namespace vigil::guest::readiness {

/// 20 bytes.
std::string sha1(std::string_view bytes);

}  // namespace vigil::guest::readiness

// Bytes as text: base64 (standard, padded), base64url (no padding), CRC-32C. Sources: RFC 4648 §4, §5; RFC 3720 B.4.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil {

std::string to_base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);
std::string to_base64url(std::string_view bytes);
Result<std::string> from_base64url(std::string_view text);
std::uint32_t crc32c(std::string_view bytes);

/// Guest bytes made safe for a terminal: control characters, invalid UTF-8 and C1 codes as \xNN; newline and tab stay when `keep_lines`.
enum class Lines { keep, escape };
std::string escape_for_terminal(std::string_view bytes, Lines lines);

}  // namespace vigil

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

/// Bytes as text that JSON can hold: what is not UTF-8 becomes U+FFFD; cut to max_bytes on a character's border.
std::string to_valid_utf8(std::string_view bytes, std::size_t max_bytes);

/// Length of the valid UTF-8 character at the start of `bytes`; 0 when there is none (Unicode 15, table 3-7: no surrogates, no overlong forms).
std::size_t utf8_character_length(std::string_view bytes);

}  // namespace vigil

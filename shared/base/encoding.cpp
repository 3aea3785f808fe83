#include "shared/base/encoding.hpp"

#include <array>

namespace vigil {

namespace {

constexpr std::string_view base64_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
enum class Padding { none, required };

std::string encode_sextets(std::string_view bytes, std::string_view letters, Padding padding) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char byte : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (held += 8; held >= 6; held -= 6) text += letters[(bits >> (held - 6)) & 63];
  }
  if (held > 0) text += letters[(bits << (6 - held)) & 63];
  while (padding == Padding::required && text.size() % 4 != 0) text += '=';
  return text;
}

constexpr std::array<std::int8_t, 256> make_sextets(std::string_view letters) {
  std::array<std::int8_t, 256> sextets{};
  sextets.fill(-1);
  for (std::size_t i = 0; i < letters.size(); ++i) sextets[static_cast<unsigned char>(letters[i])] = static_cast<std::int8_t>(i);
  return sextets;
}

/// Strict: one text for one value, so the bits left over must be zero.
Result<std::string> decode_sextets(std::string_view text, const std::array<std::int8_t, 256>& sextets) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char letter : text) {
    const auto sextet = sextets[static_cast<unsigned char>(letter)];
    if (sextet < 0) return Error(Errc::invalid, "not base64");
    bits = (bits << 6) | static_cast<std::uint32_t>(sextet);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>((bits >> held) & 0xff);
    }
  }
  const bool leftover = held >= 6 || (bits & ((1U << held) - 1)) != 0;
  if (leftover) return Error(Errc::invalid, "base64 ends in the middle of a byte");
  return bytes;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t remainder = i;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0x82f63b78U : 0U);  // Castagnoli, reflected
    table[i] = remainder;
  }
  return table;
}

constexpr auto base64_sextets = make_sextets(base64_letters);
constexpr auto base64url_sextets = make_sextets(base64url_letters);
constexpr auto crc_table = make_crc_table();

void append_escaped(std::string& text, unsigned char byte) {
  static constexpr std::string_view hex = "0123456789abcdef";
  text += "\\x";
  text += hex[byte >> 4];
  text += hex[byte & 15];
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

/// The range that the second byte must be in, after this first byte.
struct SecondByte {
  unsigned char lo = 0x80, hi = 0xbf;
};

SecondByte second_byte_after(unsigned char first) {
  switch (first) {
    case 0xe0: return {0xa0, 0xbf};
    case 0xed: return {0x80, 0x9f};
    case 0xf0: return {0x90, 0xbf};
    case 0xf4: return {0x80, 0x8f};
    default: return {};
  }
}

std::size_t length_by_first(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

/// U+0000..U+001F, U+007F, and U+0080..U+009F, which terminals obey as well.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

std::string to_base64(std::string_view bytes) { return encode_sextets(bytes, base64_letters, Padding::required); }
std::string to_base64url(std::string_view bytes) { return encode_sextets(bytes, base64url_letters, Padding::none); }

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return Error(Errc::invalid, "base64 without its padding");
  for (int pads = 0; pads < 2 && !text.empty() && text.back() == '='; ++pads) text.remove_suffix(1);
  return decode_sextets(text, base64_sextets);
}

Result<std::string> from_base64url(std::string_view text) { return decode_sextets(text, base64url_sextets); }

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return crc ^ 0xffffffffU;
}

std::size_t utf8_character_length(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto length = length_by_first(first);
  if (length <= 1) return length;
  if (bytes.size() < length) return 0;
  const auto second = static_cast<unsigned char>(bytes[1]);
  const auto [lo, hi] = second_byte_after(first);
  if (second < lo || second > hi) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!is_continuation(bytes[i])) return 0;
  return length;
}

std::string escape_for_terminal(std::string_view bytes, Lines lines) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const bool kept_space = lines == Lines::keep && (bytes[0] == '\n' || bytes[0] == '\t');
    const auto length = utf8_character_length(bytes);
    const auto character = bytes.substr(0, length == 0 ? 1 : length);
    if (kept_space || (length > 0 && !is_control(character)))
      text += character;
    else
      for (const char byte : character) append_escaped(text, static_cast<unsigned char>(byte));
    bytes.remove_prefix(character.size());
  }
  return text;
}

std::string to_valid_utf8(std::string_view bytes, std::size_t max_bytes) {
  static constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string text;
  while (!bytes.empty()) {
    const auto length = utf8_character_length(bytes);
    const auto character = length == 0 ? replacement : bytes.substr(0, length);
    if (text.size() + character.size() > max_bytes) break;
    text += character;
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

}  // namespace vigil

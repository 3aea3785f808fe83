#include "shared/console/record.hpp"

#include "shared/base/encoding.hpp"

#include <charconv>

namespace vigil::console {

namespace {

std::string to_hex(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value, 16);
  return std::string(digits, end.ptr);
}

std::string checksum_text(std::string_view bytes) {
  const auto digits = to_hex(crc32c(bytes));
  return std::string(8 - digits.size(), '0') + digits;
}

}  // namespace

std::vector<std::string> make_records(const BootId& boot, Seq seq, std::string_view digest) {
  const auto count = (digest.size() + max_piece_bytes - 1) / max_piece_bytes;
  std::vector<std::string> records;
  if (count > max_pieces) return records;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string piece = "V1 " + boot.value().substr(0, 8) + " " + to_hex(seq) + " " + std::to_string(i + 1) + "/" +
                              std::to_string(count) + " " + to_base64url(digest.substr(i * max_piece_bytes, max_piece_bytes));
    records.push_back("\n@" + piece + " " + checksum_text(piece) + "@\n");
  }
  return records;
}

}  // namespace vigil::console

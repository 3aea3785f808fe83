#include "guest/readiness/sha1.hpp"

#include <array>
#include <bit>
#include <cstdint>

namespace vigil::guest::readiness {
namespace {

using HashWords = std::array<std::uint32_t, 5>;

constexpr std::size_t block_bytes = 64;

void add_block(HashWords& hash, std::string_view block) {
  std::array<std::uint32_t, 80> schedule{};
  for (std::size_t i = 0; i < block_bytes; ++i) schedule[i / 4] = schedule[i / 4] << 8 | static_cast<unsigned char>(block[i]);
  for (std::size_t i = 16; i < schedule.size(); ++i)
    schedule[i] = std::rotl(schedule[i - 3] ^ schedule[i - 8] ^ schedule[i - 14] ^ schedule[i - 16], 1);
  auto [a, b, c, d, e] = hash;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    std::uint32_t mix = b ^ c ^ d, constant = 0xca62c1d6;
    if (i < 20)
      mix = (b & c) | (~b & d), constant = 0x5a827999;
    else if (i < 40)
      constant = 0x6ed9eba1;
    else if (i < 60)
      mix = (b & c) | (b & d) | (c & d), constant = 0x8f1bbcdc;
    const std::uint32_t next = std::rotl(a, 5) + mix + e + constant + schedule[i];
    e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
  }
  hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e;
}

}  // namespace

std::string sha1(std::string_view bytes) {
  std::string padded(bytes);
  padded += '\x80';
  while (padded.size() % block_bytes != block_bytes - 8) padded += '\0';
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) padded += static_cast<char>(bits >> shift & 0xff);

  HashWords hash{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (std::size_t at = 0; at < padded.size(); at += block_bytes) add_block(hash, std::string_view(padded).substr(at, block_bytes));
  std::string digest;
  for (const std::uint32_t word : hash)
    for (int shift = 24; shift >= 0; shift -= 8) digest += static_cast<char>(word >> shift & 0xff);
  return digest;
}

}  // namespace vigil::guest::readiness

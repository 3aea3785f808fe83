#include "guest/boot/disk_growth.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::boot {

namespace {

std::string made_superblock(std::uint32_t blocks, std::uint32_t blocks_high, std::uint32_t log_block_size, std::uint32_t incompatible) {
  std::string bytes(1024, '\0');
  const auto put = [&bytes](std::size_t at, std::uint32_t value, std::size_t size) {
    for (std::size_t n = 0; n < size; ++n) bytes[at + n] = static_cast<char>(value >> (8 * n));
  };
  put(0x4, blocks, 4);
  put(0x18, log_block_size, 4);
  put(0x38, 0xEF53, 2);
  put(0x60, incompatible, 4);
  put(0x150, blocks_high, 4);
  return bytes;
}

}  // namespace

TEST_CASE("disk growth: the size is read from the superblock", "[guest][boot]") {
  const auto plain = size_in_superblock(made_superblock(524288, 7, 2, 0));
  REQUIRE(plain.has_value());
  CHECK(plain->blocks == 524288);   // the upper half counts only with 64-bit block numbers
  CHECK(plain->block_bytes == 4096);
  CHECK(size_in_superblock(made_superblock(1, 2, 0, 0x80))->blocks == (std::uint64_t{2} << 32 | 1));
}

TEST_CASE("disk growth: what is no ext4 superblock is let alone", "[guest][boot]") {
  CHECK_FALSE(size_in_superblock("").has_value());
  CHECK_FALSE(size_in_superblock(std::string(1024, '\0')).has_value());
  CHECK_FALSE(size_in_superblock(made_superblock(1, 0, 2, 0).substr(0, 1023)).has_value());
  CHECK_FALSE(size_in_superblock(made_superblock(1, 0, 60, 0)).has_value());
}

TEST_CASE("disk growth: only ever larger, in whole blocks", "[guest][boot]") {
  const FileSystemSize now{100, 4096};
  CHECK_FALSE(larger_size(now, 100 * 4096).has_value());
  CHECK_FALSE(larger_size(now, 101 * 4096 - 1).has_value());
  CHECK_FALSE(larger_size(now, 0).has_value());
  CHECK(larger_size(now, 101 * 4096) == 101);
}

}  // namespace vigil::guest::boot

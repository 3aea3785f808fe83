// The serial console of a guest in bad company: digests of its reports as the agent prints them, with kernel lines printed into the middle of records, bytes that came out
// wrong and pieces that never came.
//
// Shape:  print() appends; bytes() is all since the start, as the shim's file is. Bounded by `max_bytes`: what is over is not printed, and that is not counted as spoilt.
#pragma once

#include "shared/base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace vigil::fleet {

class RoughConsole {
public:
  static constexpr std::size_t max_bytes = 16 << 20;

  RoughConsole(BootId boot, std::uint64_t seed) : boot_(std::move(boot)), dice_(seed) {}

  void print(Seq seq, const std::string& digest);
  const std::string& bytes() const { return bytes_; }
  std::uint64_t digests() const { return digests_; }  // printed, and of these
  std::uint64_t spoilt() const { return spoilt_; }  // those that nobody can read any more

private:
  std::size_t roll(std::size_t sides) { return std::uniform_int_distribution<std::size_t>(0, sides - 1)(dice_); }
  std::string kernel_line();
  bool print_piece(std::string record);

  BootId boot_;
  std::mt19937_64 dice_;
  std::string bytes_;
  std::uint64_t digests_ = 0, spoilt_ = 0;
};

}  // namespace vigil::fleet

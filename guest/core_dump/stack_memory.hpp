// Copies of the victim's stacks, taken while the kernel holds it; all that the unwinder ever sees of its memory.
//
// Shape:  the crashing thread's first and largest; bounded in all. Nothing of it leaves the helper: stacks hold secrets.
#pragma once

#include "guest/core_dump/core_head.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::core_dump {

/// Like pread(2) of /proc/PID/mem: how many bytes there were from `address` on.
using MemorySource = std::function<std::ptrdiff_t(std::uint64_t address, char* buffer, std::size_t size)>;

class StackMemory {
public:
  static constexpr std::size_t crashing_bytes = 256 * 1024, other_bytes = 32 * 1024, total_bytes = 2 << 20;

  void capture(const CoreHead& head, const MemorySource& source);
  /// Eight bytes at `address`; nullopt: not captured.
  std::optional<std::uint64_t> word(std::uint64_t address) const;

private:
  struct Piece {
    std::uint64_t start = 0;
    std::string bytes;
  };
  std::size_t held_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace vigil::guest::core_dump

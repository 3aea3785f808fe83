#include "guest/core_dump/stack_memory.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vigil::guest::core_dump {
namespace {

constexpr std::uint64_t red_zone = 128;     // below the stack pointer a leaf function keeps its values
constexpr std::uint64_t page = 4096;

std::string read_up(std::uint64_t start, std::size_t most, const MemorySource& source) {
  std::string bytes(most, '\0');
  std::size_t done = 0;
  while (done < most) {
    const std::ptrdiff_t count = source(start + done, bytes.data() + done, most - done);
    if (count <= 0) break;                  // the stack's end
    done += std::min(static_cast<std::size_t>(count), most - done);
  }
  bytes.resize(done);
  bytes.shrink_to_fit();
  return bytes;
}

}  // namespace

void StackMemory::capture(const CoreHead& head, const MemorySource& source) {
  for (const ThreadState& thread : head.threads) {
    const std::size_t most = std::min(&thread == head.threads.data() ? crashing_bytes : other_bytes, total_bytes - held_);
    const std::uint64_t top = thread.registers[stack_pointer];
    if (most == 0) return;
    if (top > UINT64_MAX - total_bytes) continue;
    Piece piece;
    // After an overflow the red zone, or the pointer itself, is below the stack: what is left begins with the pointer's page, or the one above.
    for (const std::uint64_t start : {top - std::min(top, red_zone), top / page * page, (top / page + 1) * page}) {
      piece.start = start;
      piece.bytes = read_up(start, most, source);
      if (!piece.bytes.empty()) break;
    }
    held_ += piece.bytes.size();
    if (!piece.bytes.empty()) pieces_.push_back(std::move(piece));
  }
}

std::optional<std::uint64_t> StackMemory::word(std::uint64_t address) const {
  for (const Piece& piece : pieces_) {
    std::uint64_t value = 0;
    if (address < piece.start || piece.bytes.size() < sizeof value || address - piece.start > piece.bytes.size() - sizeof value) continue;
    std::memcpy(&value, piece.bytes.data() + (address - piece.start), sizeof value);
    return value;
  }
  return std::nullopt;
}

}  // namespace vigil::guest::core_dump

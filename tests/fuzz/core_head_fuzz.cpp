// The beginning of an ELF core and the maps of its process: the kernel frames them, but names, registers and counts are the victim's.
#include "guest/core_dump/core_head.hpp"
#include "guest/core_dump/memory_map.hpp"
#include "guest/core_dump/stack_memory.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace {

using namespace vigil::guest::core_dump;

vigil::Result<CoreHead> read_in_pieces(std::string_view bytes, std::size_t piece) {
  std::size_t at = 0;
  return read_core_head([&](char* buffer, std::size_t size) {
    const std::size_t count = std::min({size, bytes.size() - at, piece});
    std::memcpy(buffer, bytes.data() + at, count);
    at += count;
    return static_cast<std::ptrdiff_t>(count);
  });
}

bool is_same(const CoreHead& left, const CoreHead& right) {
  return left.threads_left_out == right.threads_left_out && left.signal.has_value() == right.signal.has_value() &&
         std::equal(
             left.threads.begin(), left.threads.end(), right.threads.begin(), right.threads.end(),
             [](const ThreadState& one, const ThreadState& other) { return one.tid == other.tid && one.registers == other.registers; });
}

void check_core(std::string_view bytes) {
  const auto whole = read_in_pieces(bytes, bytes.size() + 1), pieces = read_in_pieces(bytes, 7);
  vigil::fuzz::require(whole.has_value() == pieces.has_value(), "how the bytes were cut into reads changes nothing");
  if (!whole) return;
  vigil::fuzz::require(is_same(*whole, *pieces), "nor what was read");
  vigil::fuzz::require(!whole->threads.empty() && whole->threads.size() <= max_threads, "there is a thread, and no more than are kept");
  std::size_t asked = 0;
  StackMemory memory;
  memory.capture(*whole, [&](std::uint64_t address, char* buffer, std::size_t size) -> std::ptrdiff_t {
    asked += size;
    if (address % 3 == 0) return -1;
    std::memset(buffer, 0, size);
    return static_cast<std::ptrdiff_t>(size);
  });
  vigil::fuzz::require(asked <= 4 * StackMemory::total_bytes, "memory stays bounded");
  for (const ThreadState& thread : whole->threads) (void)memory.word(thread.registers[stack_pointer]);
}

void check_maps(std::string_view text) {
  const auto modules = parse_maps(text);
  vigil::fuzz::require(modules.size() <= max_modules, "the number of files is bounded");
  for (const Module& module : modules) {
    vigil::fuzz::require(module.start < module.end && module.has_code && !module.path.empty(), "a module has a place, code and a name");
    vigil::fuzz::require(module.one_mapping.find('/') == std::string::npos, "its mapping is one name below map_files");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_core(bytes);
  check_maps(bytes);
  return 0;
}

#include "guest/core_dump/memory_map.hpp"
#include "guest/core_dump/stack_memory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstring>

namespace vigil::guest::core_dump {

namespace {

constexpr const char* maps =
    "55d0c0000000-55d0c0001000 r--p 00000000 fe:00 1234                       /usr/bin/my web server\n"
    "55d0c0001000-55d0c0003000 r-xp 00001000 fe:00 1234                       /usr/bin/my web server\n"
    "55d0c0003000-55d0c0004000 rw-p 00002000 fe:00 1234                       /usr/bin/my web server\n"
    "55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000300000 r--p 00000000 fe:00 77                         /usr/lib/locale/locale-archive\n"
    "7f0000400000-7f0000410000 r-xp 00000000 fe:00 88                         /usr/lib/old.so (deleted)\n"
    "7fff00000000-7fff00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "7fff00100000-7fff00102000 r-xp 00000000 00:00 0                          [vdso]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

/// Memory from `begin` on that holds its own addresses.
MemorySource memory_from(std::uint64_t begin, std::uint64_t end) {
  return [=](std::uint64_t address, char* buffer, std::size_t size) -> std::ptrdiff_t {
    if (address < begin || address >= end) return -1;
    const std::size_t count = std::min<std::uint64_t>({size, end - address, 4096});
    for (std::size_t i = 0; i < count; ++i) buffer[i] = static_cast<char>((address + i) >> (8 * ((address + i) % 8)));
    return static_cast<std::ptrdiff_t>(count);
  };
}

CoreHead thread_at(std::uint64_t stack) {
  CoreHead head;
  head.threads.emplace_back();
  head.threads[0].registers[stack_pointer] = stack;
  return head;
}

}  // namespace

TEST_CASE("memory map: files with code, from their first byte to their last", "[guest][core_dump]") {
  const auto modules = parse_maps(maps);
  REQUIRE(modules.size() == 3);
  CHECK(modules[0].path == "/usr/bin/my web server");
  CHECK(modules[0].start == 0x55d0c0000000);
  CHECK(modules[0].end == 0x55d0c0004000);
  CHECK(modules[1].path == "/usr/lib/old.so (deleted)");
  CHECK(modules[2].path == "[vdso]");
}

TEST_CASE("memory map: nonsense is skipped, and the number of files is bounded", "[guest][core_dump]") {
  CHECK(parse_maps("").empty());
  CHECK(parse_maps("zzz\n-\n1-\n5-4 r-xp 0 a 1 /x\n10-20 r-xp 30 a 1 /offset-before-the-address-space\n").empty());
  std::string many;
  for (int i = 1; i < 1000; ++i) {
    const std::string at = std::to_string(i);
    many += at + "000-" + at + "800 r-xp 00000000 fe:00 " + at + " /lib/" + at + "\n";
  }
  CHECK(parse_maps(many).size() == max_modules);
  const auto odd = parse_maps("2000-3000 r-xp 0 a 1 /x\n1000-1800 r-xp 1 a 1 /x\n");
  REQUIRE(odd.size() == 1);
  CHECK(odd[0].start < odd[0].end);
}

TEST_CASE("stack memory: words around the stack pointer, and no others", "[guest][core_dump]") {
  StackMemory memory;
  memory.capture(thread_at(0x10000), memory_from(0xf000, 0x12000));
  CHECK(memory.word(0x10000).has_value());
  CHECK(memory.word(0x10000 - 128).has_value());
  CHECK(memory.word(0x11ff8).has_value());
  CHECK_FALSE(memory.word(0x11ff9).has_value());
  CHECK_FALSE(memory.word(0x10000 - 129).has_value());
  CHECK_FALSE(memory.word(~std::uint64_t{0}).has_value());
}

TEST_CASE("stack memory: a pointer that fell out of the stack finds the stack above it", "[guest][core_dump]") {
  StackMemory memory;
  memory.capture(thread_at(0x0fff0), memory_from(0x10000, 0x20000));
  CHECK(memory.word(0x10000).has_value());
  StackMemory at_the_edge;   // the pointer is still in the stack, its red zone is not
  at_the_edge.capture(thread_at(0x10020), memory_from(0x10000, 0x20000));
  CHECK(at_the_edge.word(0x10020).has_value());
}

TEST_CASE("stack memory: wild pointers and many threads stay within the bound", "[guest][core_dump]") {
  CoreHead head;
  std::size_t asked = 0;
  for (std::size_t i = 0; i < max_threads; ++i) head.threads.push_back(thread_at(0x100000 * (i + 1)).threads[0]);
  head.threads.push_back(thread_at(~std::uint64_t{0}).threads[0]);
  head.threads.push_back(thread_at(0).threads[0]);
  StackMemory memory;
  memory.capture(head, [&](std::uint64_t, char* buffer, std::size_t size) {
    std::memset(buffer, 1, size);
    asked += size;
    return static_cast<std::ptrdiff_t>(size);
  });
  CHECK(asked <= StackMemory::total_bytes);
  CHECK(asked >= StackMemory::crashing_bytes + 50 * StackMemory::other_bytes);
}

}  // namespace vigil::guest::core_dump

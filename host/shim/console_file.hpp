// console.log: every byte at its true offset, the first MiB and the last 16 MiB kept, what lies between given back to the disk (a hole).
//
// Shape:  the offset of a byte in the file is its offset in the console's stream, for ever: a reader that knows an offset needs nothing else, and what
//         is kept is a function of the file's size alone. While the VM runs, the tail may be longer than its cap by one MiB.
// Errors: reading: those of the system. Writing: see console_writer.hpp.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <string>

namespace vigil::shim {

struct ConsoleCaps {
  std::uint64_t head_bytes = 1 << 20;
  std::uint64_t tail_bytes = 16 << 20;
  friend bool operator==(const ConsoleCaps&, const ConsoleCaps&) = default;
};

/// Bytes [head_end, tail_begin) of a console of `size` bytes are not kept; equal when all are.
struct ConsoleGap {
  std::uint64_t head_end = 0, tail_begin = 0;
  std::uint64_t bytes() const { return tail_begin - head_end; }
};
ConsoleGap console_gap(std::uint64_t size, const ConsoleCaps& caps = {});

struct ConsoleText {
  std::string head;
  std::uint64_t gap_bytes = 0;                  // between head and tail
  std::string tail;                             // empty when there is no gap
};

/// The whole console as it is kept; an empty one when the file is not there yet.
Result<ConsoleText> read_console(const std::string& path, const ConsoleCaps& caps = {});

/// For people: head, then a line "[vigil: N bytes of console not kept]", then tail.
std::string to_text(const ConsoleText& console);

}  // namespace vigil::shim

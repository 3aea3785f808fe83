// console.log and vmm.log: every byte at its true offset, a head and a tail kept, what lies between given back to the disk (a hole).
//
// Shape:  the offset of a byte in the file is its offset in the stream, for ever: a reader that knows an offset needs nothing else, and what is
//         kept is a function of the file's size alone. While the VM runs the tail may be longer than its cap.
// Errors: reading: those of the system. Writing: bounded_writer.hpp.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <string>

namespace vigil::shim {

struct KeepCaps {
  std::uint64_t head_bytes = 0;
  std::uint64_t tail_bytes = 0;
  friend bool operator==(const KeepCaps&, const KeepCaps&) = default;
};

inline constexpr KeepCaps console_caps{1 << 20, 16 << 20};
inline constexpr KeepCaps vmm_log_caps{1 << 20, 1 << 20};

/// Bytes [head_end, tail_begin) of a stream of `size` bytes are not kept; equal when all are.
struct Gap {
  std::uint64_t head_end = 0, tail_begin = 0;
  std::uint64_t bytes() const { return tail_begin - head_end; }
  friend bool operator==(const Gap&, const Gap&) = default;
};
Gap gap_of(std::uint64_t size, const KeepCaps& caps);

struct KeptText {
  std::string head;
  std::uint64_t gap_bytes = 0;                  // between head and tail
  std::string tail;                             // empty when there is no gap
};

/// All that is kept; an empty text when the file is not there (yet).
Result<KeptText> read_kept(const std::string& path, const KeepCaps& caps);

/// For people: head, then a line "[vigil: N bytes not kept]", then tail.
std::string as_text(const KeptText& kept);

}  // namespace vigil::shim

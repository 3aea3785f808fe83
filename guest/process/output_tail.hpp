// The last 64 KiB of what one stream of a service wrote; what came before is counted.
//
// Shape:  a ring in a mapping of its own, made with the first byte, so that a silent service costs nothing and a talkative one only the pages it filled.
//         Every byte has an offset that no later start of the service uses again; text() and lost() are of the process that was begun last.
// Units:  `at_us` on the loop's clock; of what was read within 10 ms of each other only the first time is kept, and at most 16 times in all.
// Errors: none: without memory the bytes are counted as lost.
#pragma once

#include "shared/base/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::guest::process {

/// A tail between two lives of the agent.
struct KeptTail {
  std::uint64_t begin = 0, end = 0;      // offsets; `bytes` are the last before `end`
  std::string bytes;
  std::vector<std::pair<std::uint64_t, MonoUs>> marks;
  friend bool operator==(const KeptTail&, const KeptTail&) = default;
};

class OutputTail {
public:
  static constexpr std::size_t capacity = 64 * 1024;

  OutputTail() = default;
  OutputTail(const OutputTail&) = delete;
  OutputTail& operator=(const OutputTail&) = delete;
  ~OutputTail() { release(); }

  /// A new process: what was written before is no longer in text().
  void begin() { begin_ = total_; }
  void append(std::string_view bytes, MonoUs at_us = 0);
  /// Of the last process, oldest byte first.
  std::string text() const;
  std::uint64_t lost() const { return total_ - begin_ - text_bytes(); }

  struct Piece {
    std::uint64_t offset = 0;      // of its first byte; later than what was asked for when that is no longer kept
    std::string bytes;             // all of about the same age
    MonoUs at_us = 0;              // when they were read; 0: not known
  };
  Piece read(std::uint64_t offset, std::size_t max_bytes) const;
  std::uint64_t end() const { return total_; }
  /// Gives the memory back; nothing is kept any more.
  void release();

  KeptTail keep() const;
  /// Of a tail that nothing was appended to.
  void resume(const KeptTail& kept);

private:
  struct Mark { std::uint64_t offset = 0; MonoUs at_us = 0; };

  std::uint64_t kept_from() const;
  std::size_t text_bytes() const;
  std::string copy(std::uint64_t offset, std::size_t length) const;
  void mark(MonoUs at_us);

  char* ring_ = nullptr;
  std::uint64_t total_ = 0;      // bytes ever appended; total_ % capacity is where the next one goes
  std::uint64_t begin_ = 0;      // of the last process
  std::uint64_t unkept_ = 0;     // of these, appended while there was no memory for the ring, or given back
  std::array<Mark, 16> marks_{};
  std::size_t mark_count_ = 0;
};

}  // namespace vigil::guest::process

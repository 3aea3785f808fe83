// The last 64 KiB of what a process wrote to one stream; what came before is counted.
//
// Shape:  a ring in a mapping of its own, made with the first byte, so that a silent service costs nothing and a talkative one only the pages it filled.
// Errors: none: without memory the bytes are counted as lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::guest::process {

class OutputTail {
public:
  static constexpr std::size_t capacity = 64 * 1024;

  OutputTail() = default;
  OutputTail(OutputTail&& other) noexcept;
  OutputTail& operator=(OutputTail&& other) noexcept;
  ~OutputTail();

  void append(std::string_view bytes);
  /// Oldest byte first.
  std::string text() const;
  std::uint64_t lost() const { return total_ - kept(); }

private:
  std::size_t kept() const;

  char* ring_ = nullptr;
  std::uint64_t total_ = 0;      // bytes ever appended; total_ % capacity is where the next one goes
  std::uint64_t unkept_ = 0;     // of these, appended while there was no memory for the ring
};

}  // namespace vigil::guest::process

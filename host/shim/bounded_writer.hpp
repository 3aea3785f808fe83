// The writing side of a bounded file: takes what comes, never fails and never waits for a reader.
//
// Shape:  append() writes at the stream's end, gives back what falls out of the tail; read() serves any offset that is still kept, the newest part
//         from memory, so also what the disk refused.
// Errors: none; bytes that the disk refused are counted in lost_bytes() and read as Lost once they have left the memory.
#pragma once

#include "host/shim/bounded_file.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::shim {

/// Either bytes at `offset`, or `lost` bytes from there that are not kept.
struct Piece {
  std::uint64_t offset = 0;
  std::string bytes;
  std::uint64_t lost = 0;
};

class BoundedWriter {
public:
  /// `file` is empty and open for reading and writing.
  BoundedWriter(UniqueFd file, const KeepCaps& caps);

  void append(std::string_view bytes);
  /// Makes the file exactly what its readers expect: its full size, the whole gap given back, on disk.
  void finish();

  Piece read(std::uint64_t offset, std::size_t max_bytes) const;
  std::string last(std::size_t max_bytes) const;   // of what memory holds: at least 256 KiB when there were so many
  std::uint64_t size() const { return size_; }
  std::uint64_t gap_bytes() const { return gap_of(size_, caps_).bytes(); }
  std::uint64_t lost_bytes() const { return lost_bytes_; }

private:
  struct Range { std::uint64_t begin = 0, end = 0; };

  std::size_t store(std::string_view bytes) const;
  void remember(std::string_view bytes);
  void note_lost(std::uint64_t begin, std::uint64_t end);
  void give_back(std::uint64_t step);
  std::uint64_t recent_begin() const { return size_ - recent_.size(); }

  UniqueFd file_;
  KeepCaps caps_;
  std::uint64_t size_ = 0;
  std::uint64_t given_back_to_;    // [head, here) is a hole
  bool can_give_back_ = true;      // false: the file system makes no holes; then only head + tail bytes are stored
  std::string recent_;             // the newest bytes
  std::vector<Range> lost_;        // what the disk refused, ascending
  std::uint64_t lost_bytes_ = 0;
};

}  // namespace vigil::shim

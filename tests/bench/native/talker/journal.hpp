// A guest's own journal on a bare disk: lines, from its first byte on. Nothing else in the VM writes there.
//
// Shape:  a line is in memory until `piece_bytes` are; finish() writes all, and returns when the disk has it.
// Errors: what cannot be written ends the program with its errno: a journal with holes proves nothing.
#pragma once

#include "shared/base/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::talker {

class Journal {
public:
  explicit Journal(const std::string& device);
  void add(std::string_view line);
  void finish();

private:
  static constexpr std::size_t piece_bytes = 64 << 10;
  void write_out();

  UniqueFd disk_;
  std::string unwritten_;
};

}  // namespace vigil::talker

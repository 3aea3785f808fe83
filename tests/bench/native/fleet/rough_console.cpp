#include "tests/bench/native/fleet/rough_console.hpp"

#include "shared/console/record.hpp"

#include <utility>

namespace vigil::fleet {

namespace {

constexpr std::size_t marker_bytes = 5;   // LF "@V1 ": a line printed into the marker makes text of it

}  // namespace

void RoughConsole::print(Seq seq, const std::string& digest) {
  if (bytes_.size() > max_bytes) return;
  bool is_whole = true;
  for (std::string& record : console::make_records(boot_, seq, digest)) is_whole = print_piece(std::move(record)) && is_whole;
  ++digests_;
  if (!is_whole) ++spoilt_;
  if (roll(4) == 0) bytes_ += kernel_line() + "\r\n";
}

std::string RoughConsole::kernel_line() {
  return "[" + std::to_string(100 + roll(900)) + "." + std::to_string(100'000 + roll(900'000)) + "] device: " + std::to_string(dice_());
}

/// False when it cannot be read any more.
bool RoughConsole::print_piece(std::string record) {
  const std::size_t at = marker_bytes + roll(record.size() - marker_bytes - 1);
  switch (roll(8)) {
    case 0:
    case 1:
    case 2: bytes_ += record.substr(0, at) + (roll(2) == 0 ? "\r\n" : "") + kernel_line() + "\r\n" + record.substr(at); return true;
    case 3:
      record[at] = record[at] == 'x' ? 'y' : 'x';
      bytes_ += record;
      return false;
    case 4: bytes_ += record.substr(0, at) + "\r\n"; return false;
    default: bytes_ += record; return true;
  }
}

}  // namespace vigil::fleet

// The console as the agent writes to it: records and readable text that the kernel's own printing cannot cut.
//
// Shape:  in a VM it writes to /dev/kmsg: one write is one record on the console, printed whole even while the kernel prints (a write to ttyS0 leaves in
//         bursts of 16 bytes and is spliced). Level 3, so that `quiet` does not hide it. Outside a VM it writes plain text to any descriptor.
// Units:  a text is at most 960 bytes a write: /dev/kmsg refuses more than about 1,000. Under TCG 240 bytes cost 1 to 2.4 ms.
// Errors: none; a console that does not take a line loses it, and count is kept.
// Source: tech.md §5.2; Documentation/ABI/testing/dev-kmsg.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::guest::console {

enum class Route { kernel_log, plain };

class ConsolePort {
public:
  /// Nothing is printed.
  ConsolePort() = default;
  ConsolePort(UniqueFd fd, Route route) : fd_(std::move(fd)), route_(route) {}

  /// /dev/kmsg, else /dev/console, else nothing.
  static ConsolePort open_in_vm();
  /// A file (made when missing) or terminal outside a VM.
  static ConsolePort open_plain(const std::string& path);

  /// The digest of report `seq` as console records.
  void print_digest(const BootId& boot, Seq seq, std::string_view digest);
  /// Lines for people, each ended by LF.
  void print_text(std::string_view lines);

  int fd() const { return fd_.get(); }
  Route route() const { return route_; }
  std::uint64_t lost() const { return lost_; }

private:
  void write_piece(std::string_view piece);

  UniqueFd fd_;
  Route route_ = Route::plain;
  std::uint64_t lost_ = 0;
};

/// `lines` cut at line ends into pieces of at most `max_bytes`; a longer line is cut hard.
std::string_view next_piece(std::string_view& lines, std::size_t max_bytes);

}  // namespace vigil::guest::console

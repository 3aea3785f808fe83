// A report's digest as one line of printable bytes that survives a serial console on which the kernel prints too.
//
// Shape:  LF "@V1 " boot8 " " seq " " i "/" n " " base64url " " crc32c8 "@" LF; numbers in lower-case hex; at most 240 bytes a piece. boot8 = first 8
//         hex digits of the boot id; crc32c over everything from "V1" to before the blank that precedes it. n pieces (at most 8) make one digest.
// Source: CONTRACTS "Console record".
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::console {

inline constexpr std::size_t max_record_bytes = 240;

/// The lines to print for one digest, each with its LF before and behind.
std::vector<std::string> make_records(const BootId& boot, Seq seq, std::string_view digest);

struct Digest {
  std::string boot8;
  Seq seq = 0;
  std::string json;
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// A byte automaton over the raw console: strips escape sequences and carriage returns, finds records anywhere, joins their pieces, and gives the
/// plain lines in between. Hostile input: a line is cut at 4 KiB, at most 64 unfinished digests are kept.
class ConsoleScanner {
public:
  struct Found {
    std::vector<Digest> digests;
    std::vector<std::string> lines;   // plain text, records taken out; bytes outside printable ASCII and UTF-8 are kept as they are
  };
  Found feed(std::string_view bytes);
  /// What stands in the unfinished line, when the console has ended.
  Found finish();
  std::uint64_t damaged() const { return damaged_; }   // records whose checksum did not fit

private:
  void take_line(Found& found);
  std::optional<Digest> take_piece(std::string_view record);
  std::string line_;
  enum class Escape { none, start, csi, osc, osc_end } escape_ = Escape::none;
  struct Pieces { std::vector<std::string> parts; std::size_t have = 0; };
  std::map<std::pair<std::string, Seq>, Pieces> pending_;
  std::uint64_t damaged_ = 0;
};

}  // namespace vigil::console

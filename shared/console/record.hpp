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

inline constexpr std::size_t max_pieces = 8;
inline constexpr std::size_t max_piece_bytes = 144;   // of the digest in one record, when every number has its full width

/// The lines to print for one digest, each with its LF before and behind. None for an empty digest or one of more than max_pieces * max_piece_bytes.
std::vector<std::string> make_records(const BootId& boot, Seq seq, std::string_view digest);

struct Digest {
  std::string boot8;
  Seq seq = 0;
  std::string json;
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// A byte automaton over the raw console: strips escape sequences, carriage returns and NULs, finds records anywhere, takes out kernel lines that
/// were printed into the middle of a record, joins the pieces of a digest, and gives the plain lines in between (empty ones and bare kernel
/// time stamps left out). Hostile input: a line is cut at 4 KiB, a record gives up after 240 bytes, at most 64 unfinished digests are kept.
class ConsoleScanner {
public:
  struct Found {
    std::vector<Digest> digests;
    std::vector<std::string> lines;   // plain text, records taken out; bytes outside printable ASCII and UTF-8 are kept as they are
  };
  Found feed(std::string_view bytes);
  /// What stands in the unfinished line, when the console has ended.
  Found finish();
  std::uint64_t damaged() const { return damaged_; }   // records that began and could not be read, and digests of which a piece never came

private:
  enum class Escape { none, start, one_more, csi, osc, osc_end };
  enum class In { line, record, splice };
  struct Pieces {
    std::vector<std::string> parts;
    std::size_t have = 0;
  };

  bool is_text(char byte);                      // false: part of an escape sequence, or a byte that is dropped
  void take(char byte, Found& found);           // one byte of text
  void take_in_line(char byte, Found& found);
  void take_in_record(char byte, Found& found);
  void take_in_splice(char byte, Found& found);
  void end_splice(Found& found);
  void end_record(Found& found);
  void give_up_record(Found& found);
  bool take_piece(std::string_view record, Found& found);
  void keep_piece(Digest&& piece, std::size_t index, std::size_t count, Found& found);
  void end_line(Found& found);

  Escape escape_ = Escape::none;
  In in_ = In::line;
  std::string line_;       // of plain text, up to now
  std::string record_;     // after the marker's '@', kernel lines taken out
  std::string splice_;     // a kernel line inside the record, up to now
  std::size_t splices_ = 0;
  std::map<std::pair<std::string, Seq>, Pieces> pending_;
  std::uint64_t damaged_ = 0;
};

}  // namespace vigil::console

#include "shared/base/encoding.hpp"
#include "shared/console/record.hpp"

#include <algorithm>
#include <charconv>

namespace vigil::console {

namespace {

constexpr std::string_view marker = "@V1 ";
constexpr std::size_t max_line_bytes = 4096;
constexpr std::size_t max_splices = 16;     // kernel lines inside one record
constexpr std::size_t max_pending = 64;     // digests of which pieces are missing
constexpr std::size_t max_prefix_bytes = 40;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool may_stand_in_record(char byte) {
  const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
  return letter || is_digit(byte) || byte == '-' || byte == '_' || byte == '/' || byte == ' ';
}

/// Length of printk's "[   12.345678]" at the start, with "[    T1]" behind it where the kernel prints the caller; 0 when it is not there.
std::size_t printk_prefix_length(std::string_view line) {
  const auto skip = [&](std::size_t at, auto&& wanted) {
    while (at < line.size() && wanted(line[at])) ++at;
    return at;
  };
  if (line.empty() || line[0] != '[') return 0;
  const auto seconds = skip(1, [](char byte) { return byte == ' '; });
  const auto point = skip(seconds, is_digit);
  if (point == seconds || point >= line.size() || line[point] != '.') return 0;
  const auto end = skip(point + 1, is_digit);
  if (end != point + 7 || end >= line.size() || line[end] != ']') return 0;
  if (end + 1 >= line.size() || line[end + 1] != '[') return end + 1;
  const auto caller_end = line.substr(0, max_prefix_bytes).find(']', end + 1);
  return caller_end == line.npos ? end + 1 : caller_end + 1;
}

/// False as soon as a kernel line cannot begin like this.
bool may_become_printk_prefix(std::string_view splice) {
  const auto closed = splice.find(']');
  if (closed != splice.npos) return printk_prefix_length(splice) > 0;
  return splice.size() < max_prefix_bytes &&
         std::all_of(splice.begin() + 1, splice.end(), [](char byte) { return byte == ' ' || byte == '.' || is_digit(byte); });
}

bool says_nothing(std::string_view line) { return line.substr(printk_prefix_length(line)).find_first_not_of(" \t") == line.npos; }

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || text.size() > 14 || end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// What stands before the next blank; both are taken off `rest`.
std::string_view take_word(std::string_view& rest) {
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

struct Piece {
  std::string boot8;
  Seq seq = 0;
  std::size_t index = 0, count = 0;   // index from 1
  std::string bytes;
};

/// `record` is what stands between the two '@'.
std::optional<Piece> parse_piece(std::string_view record) {
  const auto checksum_at = record.rfind(' ');
  if (checksum_at == record.npos) return std::nullopt;
  const auto checksum = record.substr(checksum_at + 1);
  if (checksum.size() != 8 || parse_hex(checksum) != crc32c(record.substr(0, checksum_at))) return std::nullopt;
  auto rest = record.substr(0, checksum_at);
  if (take_word(rest) != "V1") return std::nullopt;
  const auto boot8 = take_word(rest);
  const auto seq = parse_hex(take_word(rest));
  const auto place = take_word(rest);
  auto bytes = from_base64url(rest);
  if (boot8.size() != 8 || !parse_hex(boot8) || !seq || !bytes || bytes->empty()) return std::nullopt;
  if (place.size() != 3 || place[1] != '/') return std::nullopt;
  const auto index = static_cast<std::size_t>(place[0] - '0'), count = static_cast<std::size_t>(place[2] - '0');
  if (!is_digit(place[0]) || !is_digit(place[2]) || index < 1 || index > count || count > max_pieces) return std::nullopt;
  return Piece{std::string(boot8), *seq, index, count, std::move(*bytes)};
}

}  // namespace

ConsoleScanner::Found ConsoleScanner::feed(std::string_view bytes) {
  Found found;
  for (const char byte : bytes)
    if (is_text(byte)) take(byte, found);
  return found;
}

ConsoleScanner::Found ConsoleScanner::finish() {
  Found found;
  while (in_ != In::line) {
    record_ += splice_;
    give_up_record(found);
  }
  end_line(found);
  damaged_ += pending_.size();
  pending_.clear();
  return found;
}

bool ConsoleScanner::is_text(char byte) {
  if (byte == '\n') {   // ends any escape sequence: a broken one must not swallow the console
    escape_ = Escape::none;
    return true;
  }
  const auto was = escape_;
  escape_ = Escape::none;
  switch (was) {
    case Escape::none:
      if (byte == '\x1b') escape_ = Escape::start;
      return byte != '\x1b' && byte != '\r' && byte != '\0';
    case Escape::start:
      if (byte == '[') escape_ = Escape::csi;
      if (byte == ']') escape_ = Escape::osc;
      if (byte >= ' ' && byte <= '/') escape_ = Escape::one_more;
      return false;
    case Escape::one_more: return false;
    case Escape::csi:
      if (byte >= ' ' && byte <= '?') escape_ = Escape::csi;
      return false;
    case Escape::osc:
      if (byte != '\a') escape_ = byte == '\x1b' ? Escape::osc_end : Escape::osc;
      return false;
    case Escape::osc_end:
      if (byte != '\\') escape_ = Escape::osc;
      return false;
  }
  return false;
}

void ConsoleScanner::take(char byte, Found& found) {
  switch (in_) {
    case In::line: return take_in_line(byte, found);
    case In::record: return take_in_record(byte, found);
    case In::splice: return take_in_splice(byte, found);
  }
}

void ConsoleScanner::take_in_line(char byte, Found& found) {
  if (byte == '\n') return end_line(found);
  line_ += byte;
  if (line_.ends_with(marker)) {
    line_.resize(line_.size() - marker.size());
    record_.assign(marker.substr(1));
    splice_.clear();
    splices_ = 0;
    in_ = In::record;
  } else if (line_.size() >= max_line_bytes) {
    end_line(found);
  }
}

/// A line feed inside a record is the seam of something printed into it; it stays in record_ in case that the text turns out to be none.
void ConsoleScanner::take_in_record(char byte, Found& found) {
  if (byte == '@') return end_record(found);
  if (byte == '[') {
    splice_ = byte;
    in_ = In::splice;
    return;
  }
  record_ += byte;
  const bool fits = byte == '\n' || may_stand_in_record(byte);
  if (!fits || record_.size() > max_record_bytes + max_splices) give_up_record(found);
}

void ConsoleScanner::take_in_splice(char byte, Found& found) {
  if (byte == '\n') return end_splice(found);
  splice_ += byte;
  const bool open_prefix = splice_.size() <= max_prefix_bytes && !may_become_printk_prefix(splice_);
  if (open_prefix || splice_.ends_with(marker) || splice_.size() >= max_line_bytes) {
    record_ += splice_;
    give_up_record(found);
  }
}

/// The kernel's line is given at once: it may be a panic, and the rest of the record may never come.
void ConsoleScanner::end_splice(Found& found) {
  if (printk_prefix_length(splice_) == 0 || ++splices_ > max_splices) {
    record_ += splice_ + '\n';
    return give_up_record(found);
  }
  if (!says_nothing(splice_)) found.lines.push_back(std::move(splice_));
  splice_.clear();
  in_ = In::record;
}

void ConsoleScanner::end_record(Found& found) {
  std::string record = record_;
  std::erase(record, '\n');
  if (take_piece(record, found)) {
    record_.clear();
    in_ = In::line;
  } else {
    record_ += '@';
    give_up_record(found);
  }
}

/// It was no record, or a broken one: its bytes are text, looked at again from behind the marker, for another may begin among them.
void ConsoleScanner::give_up_record(Found& found) {
  ++damaged_;
  const std::string again = std::exchange(record_, {}).substr(marker.size() - 1);
  splice_.clear();
  in_ = In::line;
  line_ += marker;
  for (const char byte : again) take(byte, found);
}

bool ConsoleScanner::take_piece(std::string_view record, Found& found) {
  auto piece = parse_piece(record);
  if (!piece) return false;
  keep_piece(Digest{std::move(piece->boot8), piece->seq, std::move(piece->bytes)}, piece->index, piece->count, found);
  return true;
}

void ConsoleScanner::keep_piece(Digest&& piece, std::size_t index, std::size_t count, Found& found) {
  const auto key = std::pair(piece.boot8, piece.seq);
  auto& pieces = pending_[key];
  if (pieces.parts.size() != count) pieces = Pieces{std::vector<std::string>(count), 0};
  auto& part = pieces.parts[index - 1];
  if (part.empty()) ++pieces.have;
  part = std::move(piece.json);
  if (pieces.have == count) {
    std::string whole;
    for (const auto& each : pieces.parts) whole += each;
    pending_.erase(key);
    found.digests.push_back(Digest{key.first, key.second, std::move(whole)});
  } else if (pending_.size() > max_pending) {
    pending_.erase(pending_.begin()->first == key ? std::prev(pending_.end()) : pending_.begin());
    ++damaged_;
  }
}

void ConsoleScanner::end_line(Found& found) {
  if (!says_nothing(line_)) found.lines.push_back(line_);
  line_.clear();
}

}  // namespace vigil::console

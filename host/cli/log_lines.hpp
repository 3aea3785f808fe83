// Records of services' logs turned into lines for people.
//
// Shape:  records end anywhere: an unfinished line waits for its rest, at most max_line bytes, per service and stream.
#pragma once

#include "shared/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::cli {

struct LogLine {
  std::int64_t at_unix_us = 0;
  std::string service, stream, text;   // with its end of line
  bool is_note = false;                // ours: bytes that are missing
};

class LogLines {
public:
  enum class Cut { lines, as_they_come };
  static constexpr std::size_t max_line = 64 * 1024;

  explicit LogLines(Cut cut) : cut_(cut) {}
  std::vector<LogLine> feed(const nlohmann::json& record);
  /// What had no end of line.
  std::vector<LogLine> finish();

private:
  Cut cut_;
  std::map<std::pair<std::string, std::string>, LogLine> open_;
};

/// "10m" before `now`, or "2026-11-26T17:40:00Z", in microseconds since 1970.
Result<std::int64_t> parse_since(std::string_view text, std::time_t now);
/// "2026-11-26T17:40:00.123456Z"
std::string utc_time(std::int64_t unix_us);

}  // namespace vigil::cli

#include "host/cli/log_lines.hpp"

#include "host/cli/view.hpp"
#include "shared/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>

namespace vigil::cli {

namespace {

LogLine note_of(const LogLine& line, std::int64_t lost, const std::string& why) {
  LogLine note = line;
  note.is_note = true;
  note.text = "[vigil: " + std::to_string(lost) + " bytes of " + line.stream + " are not kept: " + why + "]\n";
  return note;
}

}  // namespace

std::vector<LogLine> LogLines::feed(const nlohmann::json& record) {
  std::vector<LogLine> lines;
  LogLine line{number(record, "at_unix_us"), text(record, "service"), text(record, "stream"), "", false};
  const auto bytes = from_base64(text(record, "data_b64"));
  if (!bytes) return lines;
  auto& open = open_[{line.service, line.stream}];
  if (const auto lost = number(record, "lost"); lost > 0) {
    if (!open.text.empty()) lines.push_back(std::exchange(open, {}));
    if (!lines.empty()) lines.back().text += '\n';
    lines.push_back(note_of(line, lost, text(record, "why_lost")));
  }
  if (cut_ == Cut::as_they_come) {
    line.text = *bytes;
    lines.push_back(std::move(line));
    return lines;
  }
  for (std::size_t at = 0; at < bytes->size();) {
    const auto newline = bytes->find('\n', at);
    const auto end = newline == std::string::npos ? bytes->size() : newline + 1;
    if (open.text.empty()) open = line;
    open.text += bytes->substr(at, end - at);
    at = end;
    if (newline == std::string::npos && open.text.size() < max_line) break;
    if (newline == std::string::npos) open.text += '\n';
    lines.push_back(std::exchange(open, {}));
  }
  return lines;
}

std::vector<LogLine> LogLines::finish() {
  std::vector<LogLine> lines;
  for (auto& each : open_) {
    if (each.second.text.empty()) continue;
    if (cut_ == Cut::lines) each.second.text += '\n';
    lines.push_back(std::move(each.second));
  }
  open_.clear();
  return lines;
}

Result<std::int64_t> parse_since(std::string_view text, std::time_t now) {
  std::tm given{};
  const std::string copy(text);
  const char* const end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &given);
  if (end != nullptr && (*end == '\0' || std::string_view(end) == "Z")) return std::int64_t{timegm(&given)} * 1'000'000;
  std::int64_t count = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  const std::int64_t seconds = unit == "s" || unit.empty() ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
  const bool is_wrong = failure != std::errc() || seconds == 0 || count < 0 || count > now / seconds;
  if (is_wrong) return Error(Errc::invalid, "--since " + copy + ": not like 90s, 10m, 2h, 3d or 2026-11-26T17:40:00Z");
  return (now - count * seconds) * 1'000'000;
}

std::string utc_time(std::int64_t unix_us) {
  const std::time_t seconds = unix_us / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32], whole[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(whole, sizeof whole, "%s.%06dZ", text, static_cast<int>(unix_us % 1'000'000));
  return whole;
}

}  // namespace vigil::cli

#include "host/cli/view.hpp"

#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace vigil::cli {

using nlohmann::json;

std::string safe(std::string_view bytes) { return escape_for_terminal(bytes, Lines::escape); }

std::string text(const json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return {};
  return member->is_string() ? safe(member->get_ref<const std::string&>()) : safe(dump_json(*member));
}

std::int64_t number(const json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() || !member->is_number() ? 0 : static_cast<std::int64_t>(member->get<double>());
}

bool is_true(const json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_boolean() && member->get<bool>();
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) widths[column] = std::max(widths[column], row[column].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      line += row[column];
      if (column + 1 < row.size()) line.append(widths[column] - row[column].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  }
}

std::string milliseconds(std::int64_t ms) {
  char buffer[32];
  if (ms < 10'000) std::snprintf(buffer, sizeof buffer, "%lld ms", static_cast<long long>(ms));
  else std::snprintf(buffer, sizeof buffer, "%.1f s", static_cast<double>(ms) / 1000);
  return buffer;
}

std::string ago(std::int64_t unix_us) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto seconds = std::max<std::int64_t>(0, now - unix_us / 1'000'000);
  if (seconds < 120) return std::to_string(seconds) + " s ago";
  if (seconds < 7'200) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 172'800) return std::to_string(seconds / 3'600) + " h ago";
  return std::to_string(seconds / 86'400) + " d ago";
}

std::string short_image(std::string_view reference) {
  const auto at = reference.find('@');
  return safe(at == reference.npos ? reference : reference.substr(0, at + 13));
}

std::string cause_line(const json& cause) { return text(cause, "code") + ": " + text(cause, "sentence"); }

std::string cause_cell(const json& object) {
  const auto cause = object.find("cause");
  return cause == object.end() || !cause->is_object() ? "" : cause_line(*cause);
}

void print_cause(const json& cause, const std::string& indent) {
  std::printf("%s%s\n", indent.c_str(), cause_line(cause).c_str());
  if (const auto evidence = cause.find("evidence"); evidence != cause.end() && evidence->is_array())
    for (const auto& line : *evidence)
      if (line.is_string()) std::printf("%s  | %s\n", indent.c_str(), safe(line.get_ref<const std::string&>()).c_str());
  const auto mend = text(cause, "advice");
  if (!mend.empty()) std::printf("%s  -> %s\n", indent.c_str(), mend.c_str());
}

void print_json(const json& value) { std::printf("%s\n", dump_json_pretty(value).c_str()); }

bool on_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

}  // namespace vigil::cli

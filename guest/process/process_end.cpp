#include "guest/process/process_end.hpp"

#include "guest/process/small_file.hpp"
#include "guest/process/words.hpp"

#include <vector>

namespace vigil::guest::process {

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('('), close = text.rfind(')');   // comm itself may hold both
  if (open == std::string_view::npos || close == std::string_view::npos || close < open || open == 0) return std::nullopt;
  const std::vector<std::string_view> rest = words_of(text.substr(close + 1));
  constexpr std::size_t state = 0, parent = 1, session = 3, user = 11, system = 12, start = 19, rss = 21;   // fields 3, 4, 6, 14, 15, 22 and 24 of proc(5)
  if (rest.size() <= start || rest[state].size() != 1) return std::nullopt;
  ProcessStat stat;
  stat.comm = std::string(text.substr(open + 1, close - open - 1));
  stat.state = rest[state][0];
  if (!parse_whole(text.substr(0, open - 1), stat.pid) || !parse_whole(rest[parent], stat.parent) ||
      !parse_whole(rest[session], stat.session) || !parse_whole(rest[start], stat.start_ticks))
    return std::nullopt;
  std::uint64_t user_ticks = 0, system_ticks = 0;
  if (parse_whole(rest[user], user_ticks) && parse_whole(rest[system], system_ticks)) stat.cpu_ticks = user_ticks + system_ticks;
  if (rest.size() <= rss || !parse_whole(rest[rss], stat.rss_pages)) stat.rss_pages = 0;
  return stat;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  const std::optional<std::string> text = read_small_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  return text ? parse_stat(*text) : std::nullopt;
}

std::string parse_cgroup_v2(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with("0::")) return std::string(line.substr(3));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace vigil::guest::process

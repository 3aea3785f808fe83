#include "guest/process/process_end.hpp"

#include "guest/process/small_file.hpp"
#include "guest/process/words.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace vigil::guest::process {
namespace {

template <std::size_t Size>
std::size_t first_words(std::string_view text, std::array<std::string_view, Size>& words) {
  std::size_t count = 0;
  while (count < Size) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    if (text.empty()) break;
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    words[count++] = text.substr(0, end);
    text.remove_prefix(end);
  }
  return count;
}

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('('), close = text.rfind(')');   // comm itself may hold both
  if (open == std::string_view::npos || close == std::string_view::npos || close < open || open == 0) return std::nullopt;
  constexpr std::size_t state = 0, parent = 1, session = 3, user = 11, system = 12, start = 19, rss = 21;   // fields 3, 4, 6, 14, 15, 22 and 24 of proc(5)
  std::array<std::string_view, rss + 1> rest;   // every process of the machine comes through here: no vector
  const std::size_t count = first_words(text.substr(close + 1), rest);
  if (count <= start || rest[state].size() != 1) return std::nullopt;
  ProcessStat stat;
  stat.comm = std::string(text.substr(open + 1, close - open - 1));
  stat.state = rest[state][0];
  if (!parse_whole(text.substr(0, open - 1), stat.pid) || !parse_whole(rest[parent], stat.parent) ||
      !parse_whole(rest[session], stat.session) || !parse_whole(rest[start], stat.start_ticks))
    return std::nullopt;
  std::uint64_t user_ticks = 0, system_ticks = 0;
  if (parse_whole(rest[user], user_ticks) && parse_whole(rest[system], system_ticks)) stat.cpu_ticks = user_ticks + system_ticks;
  if (count <= rss || !parse_whole(rest[rss], stat.rss_pages)) stat.rss_pages = 0;
  return stat;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  char path[32], line[1024];   // one read(2) gives it whole
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
  const ssize_t length = file ? read(file.get(), line, sizeof line) : -1;
  return length > 0 ? parse_stat(std::string_view(line, static_cast<std::size_t>(length))) : std::nullopt;
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

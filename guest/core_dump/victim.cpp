#include "guest/core_dump/victim.hpp"

#include "guest/process/process_end.hpp"
#include "guest/process/small_file.hpp"
#include "guest/process/words.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace vigil::guest::core_dump {
namespace {

constexpr std::size_t max_path_bytes = 1024, max_command_line_bytes = 2048;

std::string link_target(const std::string& path) {
  std::string target(max_path_bytes, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  target.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return target;
}

std::string count_entries(const std::string& path) {
  DIR* const directory = ::opendir(path.c_str());
  if (directory == nullptr) return {};
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.';
  ::closedir(directory);
  return std::to_string(count);
}

/// The first word after "NAME:" in /proc/PID/status.
std::string status_word(const std::string& status, std::string_view name) {
  const std::size_t at = status.find("\n" + std::string(name) + ":");
  if (at == std::string::npos) return {};
  const std::string_view line = std::string_view(status).substr(at + 2 + name.size());
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  return std::string(line.substr(begin, line.find_first_of(" \t\n", begin) - begin));
}

std::string command_line(const std::string& directory) {
  std::string words = process::read_small_file(directory + "cmdline", max_command_line_bytes).value_or("");
  while (words.ends_with('\0')) words.pop_back();
  return words;
}

}  // namespace

std::string describe_victim(pid_t pid, pid_t thread, int signal, const std::string& maps) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/";
  const process::ProcessStat stat = process::read_stat(pid).value_or(process::ProcessStat{});
  const std::string status = process::read_small_file(directory + "status", 8192).value_or("");
  const auto word = [&](std::string_view name) { return status_word(status, name); };
  return make_message({"victim", std::to_string(pid), std::to_string(stat.parent), std::to_string(stat.start_ticks), std::to_string(thread),
                       std::to_string(signal), stat.comm, link_target(directory + "exe"), command_line(directory),
                       link_target(directory + "cwd"),
                       process::parse_cgroup_v2(process::read_small_file(directory + "cgroup", 4096).value_or("")), word("Uid"),
                       word("Gid"), word("Threads"), count_entries(directory + "fd"), word("VmRSS"), word("VmHWM"),
                       std::to_string(std::count(maps.begin(), maps.end(), '\n'))});
}

std::string thread_name(pid_t pid, pid_t tid) {
  return process::read_value("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/comm");
}

std::vector<pid_t> list_threads(pid_t pid, std::size_t limit) {
  std::vector<pid_t> threads;
  DIR* const directory = ::opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (directory == nullptr) return threads;
  pid_t tid = 0;
  while (const dirent* entry = ::readdir(directory))
    if (threads.size() < limit && process::parse_whole(std::string_view(entry->d_name), tid)) threads.push_back(tid);
  ::closedir(directory);
  return threads;
}

}  // namespace vigil::guest::core_dump

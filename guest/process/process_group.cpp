#include "guest/process/process_group.hpp"

#include "guest/process/process_end.hpp"
#include "guest/process/small_file.hpp"
#include "guest/process/words.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <functional>
#include <optional>
#include <unordered_map>

namespace vigil::guest::process {
namespace {

constexpr std::size_t max_procs_bytes = 1024 * 1024;

bool is_alive(const ProcessStat& stat) { return stat.state != 'Z' && stat.state != 'X'; }

using StatOf = std::function<std::optional<ProcessStat>(pid_t)>;

/// Descends from `main`, or is of the session that it led: a double fork escapes the first, setsid the second, both together only a cgroup holds.
bool is_of_tree(const StatOf& stat_of, pid_t pid, pid_t main) {
  constexpr int deepest = 64;
  for (int depth = 0; depth < deepest && pid > 0; ++depth) {
    if (pid == main) return true;
    const std::optional<ProcessStat> stat = stat_of(pid);
    if (!stat) return false;
    if (stat->session == main) return true;
    pid = stat->parent;
  }
  return false;
}

/// Kept open: the way through /proc costs more than what is read. A thread sees its own children only.
std::optional<std::string> own_children() {
  thread_local const UniqueFd file(open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
  return read_small_file(file, max_procs_bytes);
}

/// `main` is dead and reaped. What it left has come to us, who are PID 1 or a subreaper: is one of our children of its group, or of its session?
/// Who stayed in its session below a parent that left it is not found: only a cgroup holds all.
bool nobody_is_left(pid_t main) {
  if (getsid(main) >= 0) return false;
  siginfo_t dead{};
  if (waitid(P_PGID, static_cast<id_t>(main), &dead, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD) return false;
  const std::optional<std::string> children = own_children();
  if (!children) return false;   // a kernel without them
  const std::vector<pid_t> pids = parse_pids(*children);
  return std::none_of(pids.begin(), pids.end(), [main](pid_t pid) { return getsid(pid) == main; });
}

/// After a death this is asked before the replacement starts, and mostly nobody is left: then a few calls say so, where /proc with all its processes costs ten times that.
std::vector<pid_t> tree_of(pid_t main) {
  if (nobody_is_left(main)) return {};
  const std::vector<pid_t> pids = all_pids();
  std::unordered_map<pid_t, ProcessStat> processes;
  for (const pid_t pid : pids)
    if (std::optional<ProcessStat> stat = read_stat(pid)) processes.emplace(pid, std::move(*stat));
  const auto stat_of = [&](pid_t pid) -> std::optional<ProcessStat> {
    const auto found = processes.find(pid);
    return found == processes.end() ? std::nullopt : std::optional(found->second);
  };
  std::vector<pid_t> members;
  for (const auto& [pid, stat] : processes)
    if (is_alive(stat) && is_of_tree(stat_of, pid, main)) members.push_back(pid);
  std::sort(members.begin(), members.end());
  return members;
}

}  // namespace

std::vector<pid_t> parse_pids(const std::string& text) {
  std::vector<pid_t> pids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc{} && pid > 0) pids.push_back(pid);
    at = std::find_if(next, end, [](char c) { return c == '\n' || c == ' '; });   // of cgroup.procs, and of a task's children
    if (at < end) ++at;
  }
  return pids;
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  const UniqueFd directory(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  char entries[8192];  // opendir(3) would take 32 KiB from the heap, at every death
  for (long length = 0; directory && (length = syscall(SYS_getdents64, directory.get(), entries, sizeof entries)) > 0;) {
    for (long at = 0; at < length;) {
      const char* const entry = entries + at;  // d_ino, d_off, d_reclen, d_type, d_name: getdents(2)
      std::uint16_t bytes = 0;
      std::memcpy(&bytes, entry + 16, sizeof bytes);
      at += bytes;
      pid_t pid = 0;
      const std::string_view name = entry + 19;
      if (parse_whole(name, pid)) pids.push_back(pid);
    }
  }
  return pids;
}

std::vector<pid_t> ProcessGroup::members() const {
  if (cgroup_directory_.empty()) return main_ > 0 ? tree_of(main_) : std::vector<pid_t>{};
  std::vector<pid_t> pids = parse_pids(read_small_file(cgroup_directory_ + "/cgroup.procs", max_procs_bytes).value_or(""));
  std::erase_if(pids, [](pid_t pid) {
    const std::optional<ProcessStat> stat = read_stat(pid);
    return !stat || !is_alive(*stat);
  });
  return pids;
}

bool ProcessGroup::contains(pid_t pid) const {
  if (pid == main_) return true;
  if (!cgroup_directory_.empty()) {
    const std::vector<pid_t> pids = parse_pids(read_small_file(cgroup_directory_ + "/cgroup.procs", max_procs_bytes).value_or(""));
    return std::find(pids.begin(), pids.end(), pid) != pids.end();
  }
  return main_ > 0 && is_of_tree(read_stat, pid, main_);  // only up from `pid`: many ask, and /proc is long
}

void ProcessGroup::kill_all() const {
  constexpr int rounds = 3;  // somebody may fork while we look
  for (int round = 0; round < rounds; ++round) {
    const std::vector<pid_t> pids = members();
    if (pids.empty()) return;
    for (const pid_t pid : pids) kill(pid, SIGKILL);
  }
}

}  // namespace vigil::guest::process

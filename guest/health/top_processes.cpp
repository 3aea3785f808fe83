#include "guest/health/top_processes.hpp"

#include "guest/process/process_group.hpp"

#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace vigil::guest::health {
namespace {

constexpr std::size_t max_processes = 1024;
constexpr unsigned whole_look_every = 12;

bool is_kernel_thread(const process::ProcessStat& stat) {
  constexpr pid_t kthreadd = 2;
  return stat.rss_pages == 0 && (stat.pid == kthreadd || stat.parent == kthreadd);
}

}  // namespace

std::vector<protocol::ProcessHealth> TopProcesses::look(MonoUs now_us, const std::function<std::string(pid_t)>& service_of) {
  std::vector<pid_t> pids = process::all_pids();
  if (pids.size() > max_processes) pids.resize(max_processes);
  const bool whole = looks_++ % whole_look_every == 0;
  std::vector<process::ProcessStat> stats;
  std::vector<pid_t> not_read;
  for (const pid_t pid : pids) {
    const auto known = seen_.find(pid);
    if (!whole && known != seen_.end() && known->second.of_kernel) not_read.push_back(pid);
    else if (auto stat = process::read_stat(pid)) stats.push_back(std::move(*stat));
  }
  auto top = judge(now_us, stats, not_read);
  for (auto& each : top)
    if (service_of) each.service = service_of(static_cast<pid_t>(each.pid));
  return top;
}

std::vector<protocol::ProcessHealth> TopProcesses::judge(MonoUs now_us, const std::vector<process::ProcessStat>& stats,
                                                         const std::vector<pid_t>& not_read) {
  static const std::uint64_t ticks_per_second = static_cast<std::uint64_t>(std::max(sysconf(_SC_CLK_TCK), 1L));
  static const std::uint64_t page_kib = static_cast<std::uint64_t>(std::max(sysconf(_SC_PAGESIZE), 1024L)) / 1024;
  const bool comparable = seen_us_ != 0;
  std::map<pid_t, Seen> now;
  std::vector<protocol::ProcessHealth> top;
  top.reserve(stats.size());
  for (const process::ProcessStat& stat : stats) {
    const auto before = seen_.find(stat.pid);
    const bool same = before != seen_.end() && before->second.start_ticks == stat.start_ticks;
    const Seen old = same ? before->second : Seen{0, 0, seen_us_, false};   // one that began since then has all its time from since then
    const std::uint64_t passed_us = std::max<std::uint64_t>(now_us - std::min(now_us, old.at_us), 1);
    const std::uint64_t ticks = comparable && stat.cpu_ticks > old.cpu_ticks ? stat.cpu_ticks - old.cpu_ticks : 0;
    const std::uint64_t permille = std::min<std::uint64_t>(ticks * 1'000'000'000 / ticks_per_second / passed_us, 1'000'000);
    now[stat.pid] = {stat.start_ticks, stat.cpu_ticks, now_us, is_kernel_thread(stat)};
    top.push_back({stat.pid, stat.comm, {}, static_cast<std::uint32_t>(permille), stat.rss_pages * page_kib});
  }
  for (const pid_t pid : not_read)
    if (const auto known = seen_.find(pid); known != seen_.end()) now.insert(*known);
  seen_ = std::move(now);
  seen_us_ = now_us;
  const auto order = [](const protocol::ProcessHealth& each) { return std::tuple(each.cpu_permille, each.rss_kib); };
  const auto middle = top.begin() + static_cast<std::ptrdiff_t>(std::min(shown, top.size()));
  std::partial_sort(top.begin(), middle, top.end(), [&](const auto& left, const auto& right) { return order(left) > order(right); });
  top.erase(middle, top.end());
  std::erase_if(top, [](const auto& each) { return each.cpu_permille == 0 && each.rss_kib == 0; });   // kernel threads that rest
  return top;
}

}  // namespace vigil::guest::health

// How one process ended: what waitid, the zombie's /proc files and its resource usage say.
//
// Units:  microseconds of CLOCK_BOOTTIME, KiB, bytes. Source: proc(5) stat, cgroup, io; getrusage(2).
#pragma once

#include "shared/base/clock.hpp"
#include "shared/protocol/report.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::process {

struct ProcessEnd {
  pid_t pid = 0;
  protocol::ExitStatus status = protocol::ExitUnknown{};
  std::string comm;
  std::string cgroup;                 // path within the v2 hierarchy, "/vigil/web", of a process that nobody expected; empty when unknown
  MonoUs ended_us = 0;
  std::uint64_t user_us = 0, system_us = 0, max_rss_kib = 0;
};

/// What /proc/PID/stat says of who a process is.
struct ProcessStat {
  pid_t pid = 0;
  std::string comm;                   // may hold blanks and parentheses
  char state = '?';
  pid_t parent = 0, session = 0;
  std::uint64_t start_ticks = 0;      // since boot, in clock ticks: with the pid it identifies a process
  std::uint64_t cpu_ticks = 0;        // user and system
  std::uint64_t rss_pages = 0;
};

/// nullopt: not a line of /proc/PID/stat.
std::optional<ProcessStat> parse_stat(std::string_view text);
std::optional<ProcessStat> read_stat(pid_t pid);
/// The path of the "0::" line of /proc/PID/cgroup; empty when there is none.
std::string parse_cgroup_v2(std::string_view text);

}  // namespace vigil::guest::process

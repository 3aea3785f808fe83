// Tells a process that the kernel killed for memory from one that somebody else killed, and names the victim.
//
// Shape:  parse functions are pure. A baseline of the cgroup's counters is taken at each start; what they grew by at a death is the kernel's word.
//         The counters grow before the signal is sent, so they are there when the death is seen.
// Source: cgroup-v2 memory.events, memory.peak; the kernel's "oom-kill:" record (mm/oom_kill.c), /dev/kmsg.
#pragma once

#include "shared/base/unique_fd.hpp"
#include "shared/protocol/report.hpp"

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::evidence {

/// The value of `key` in lines of "key value"; 0 when it is not there.
std::uint64_t keyed_counter(std::string_view text, std::string_view key);

struct OomRecord {
  pid_t pid = 0;
  std::string comm;
  std::string cgroup;                 // "/vigil/web", whose limit was reached; empty: the whole VM
};

/// From one record of /dev/kmsg (or of the console); nullopt for any other record.
std::optional<OomRecord> parse_oom_record(std::string_view line);

/// What the kernel said about killing for memory since this object was made; keeps the last 64.
class KernelOomLog {
public:
  explicit KernelOomLog(const std::string& path = "/dev/kmsg");
  /// Reads what is new. Without the right to read the kernel's log there is never anything.
  const std::deque<OomRecord>& records();

private:
  UniqueFd log_;
  std::deque<OomRecord> records_;
};

/// The counters of one service's cgroup.
class OomWatch {
public:
  OomWatch() = default;
  /// `cgroup_directory` empty: no cgroup, no evidence.
  explicit OomWatch(std::string cgroup_directory) : cgroup_directory_(std::move(cgroup_directory)) {}

  void take_baseline();
  /// For the next life of the agent, which has not seen the process begin.
  std::uint64_t baseline() const { return kills_before_; }
  void resume(std::uint64_t baseline) { kills_before_ = baseline; }
  /// Evidence when the kernel killed within this cgroup since the baseline; `main` is the victim where the log names none.
  std::optional<protocol::OomEvidence> since_baseline(KernelOomLog& log, const OomRecord& main);

private:
  std::string cgroup_directory_;
  std::uint64_t kills_before_ = 0;
};

std::string victim_text(const OomRecord& record);   // "hog (pid 31)"

}  // namespace vigil::guest::evidence

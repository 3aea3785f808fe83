// What the next life of the agent needs to go on with a service: plain values; descriptors are numbers that stay open over the exec.
#pragma once

#include "guest/process/cgroup.hpp"
#include "guest/readiness/probe_set.hpp"
#include "guest/supervisor/health_check.hpp"
#include "guest/supervisor/restart_policy.hpp"
#include "shared/protocol/state.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {

/// The process that lives.
struct KeptRun {
  pid_t pid = 0;
  MonoUs started_us = 0;
  int out_fd = -1, err_fd = -1;       // -1: all its writers have gone
  std::vector<readiness::ProbeSet::Kept> probes;
  std::uint64_t oom_kills = 0, forks_refused = 0, periods = 0, periods_throttled = 0;   // of its cgroup when it began
  bool forks_told = false;
  std::optional<KeptHealth> health;
  friend bool operator==(const KeptRun&, const KeptRun&) = default;
};

struct KeptService {
  std::string name;
  protocol::ServiceState state = protocol::ServiceState::waiting;
  MonoUs since_us = 0, ready_since_us = 0;
  std::optional<protocol::Cause> cause, ended_by_us;
  std::vector<std::string> waits_for;
  std::vector<protocol::ProbeResult> last_probes;
  std::uint32_t restarts = 0, crashes = 0;
  bool finished = false, start_after_stop = false, launched_before = false, announced = false;
  std::chrono::milliseconds backoff{0}, grace{0};
  KeptPolicy policy;
  process::KeptCgroup cgroup;
  std::optional<KeptRun> run;
  friend bool operator==(const KeptService&, const KeptService&) = default;
};

struct KeptSupervisor {
  std::vector<KeptService> services;
  std::vector<std::string> failures_told;
  std::uint64_t orphan_crashes = 0;
  bool is_ready_told = false, is_settled_told = false;
  friend bool operator==(const KeptSupervisor&, const KeptSupervisor&) = default;
};

}  // namespace vigil::guest::supervisor

// Names the cause of a death from the facts that were collected about it.
//
// Shape:  pure. The order of its rules is the order of certainty: what the kernel says, what the program says, the bare status.
// Source: CONTRACTS "Cause codes".
#pragma once

#include "shared/protocol/report.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::evidence {

/// Where the service was in its life when its main process ended.
enum class LifeStage {
  before_ready,     // it has probes and they had not all passed
  running,          // it was ready, or has no probes
};

struct TakenPort {
  std::uint16_t port = 0;
  std::string holder;   // "web (pid 31)"; empty: nobody holds it any more
};

struct ExitFacts {
  protocol::ExitStatus status = protocol::ExitUnknown{};
  LifeStage stage = LifeStage::running;
  std::string stdout_tail, stderr_tail;
  std::optional<protocol::OomEvidence> oom;     // its cgroup reached its limit
  std::optional<std::string> guest_oom_victim;  // the whole VM ran out of memory and the kernel chose this process
  std::optional<pid_t> left_behind;             // a living process of the service that outlives the main one
  std::optional<TakenPort> taken_port;          // a port that it wanted and somebody else has
  std::optional<std::string> stale_lock;        // a lock or socket file that it complained of and that nobody holds any more
  std::optional<std::string> refused_forks;     // the service's name, when its limit of processes was reached in this life
};

protocol::Cause classify_exit(const ExitFacts& facts);

/// Whether the status alone is a success: code 0.
bool is_success(const protocol::ExitStatus& status);

}  // namespace vigil::guest::evidence

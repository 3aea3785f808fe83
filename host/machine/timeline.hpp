// The stages of one run with their times on both sides; what `vigil timeline` shows and the API serves.
#pragma once

#include "host/machine/vm_state.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vigil::machine {

struct TimelineService {
  ServiceName name;
  protocol::ServiceState state = protocol::ServiceState::waiting;
  std::optional<std::uint64_t> ready_after_ms;  // since the start of the run, host clock
  friend bool operator==(const TimelineService&, const TimelineService&) = default;
};

struct TimelineStage {
  protocol::Stage stage = protocol::Stage::vmm;
  StageProgress progress = StageProgress::pending;
  std::optional<MonoUs> guest_us;
  std::optional<UnixUs> host_unix_us;
  std::optional<std::uint64_t> since_start_ms;
  std::optional<std::uint64_t> took_ms;         // since the stage before it that has a time
  std::string detail;
  std::vector<TimelineService> services;        // of Stage::services
  friend bool operator==(const TimelineStage&, const TimelineStage&) = default;
};

/// All seven stages, in order. `active` is the first stage without evidence while the VMM lives.
std::vector<TimelineStage> timeline(const Run& run);

}  // namespace vigil::machine

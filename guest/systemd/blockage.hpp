// What a start job waits for: the chain from the unit down to whoever holds everything up, asked of systemd step by step.
//
// Shape:  find() walks at most max_steps jobs; name_blockage() is pure: of the chain the first that is not just a milestone of every boot, or the device at its end.
// Source: Manager.GetJobBefore; systemd.special(7).
#pragma once

#include "guest/systemd/manager_bus.hpp"
#include "shared/protocol/cause.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vigil::guest::systemd {

using Chain = std::vector<Job>;

/// `done` gets an empty chain when the job waits for nobody.
void find_blockage(ManagerBus& bus, std::uint32_t job, std::function<void(Chain)> done);

/// The one to follow among those that a job waits for. `jobs` is not empty.
const Job& most_telling(const std::vector<Job>& jobs);

/// Of a chain that is not empty.
struct Blockage {
  std::string waits_for;
  protocol::Cause cause;
};
Blockage name_blockage(const std::string& unit, const Chain& chain);

}  // namespace vigil::guest::systemd

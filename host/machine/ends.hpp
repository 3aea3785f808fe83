// How a run is brought to its end, and whether another follows. Private to this folder.
#pragma once

#include "host/machine/stages.hpp"

#include <optional>
#include <string>

namespace vigil::machine {

Effect shutdown_request(const StopRecord& stop);

/// A stop or an exit is overdue: from now on the end is our doing.
void kill_overdue(const Change& change, const std::string& why);

void end_run(const Change& change, EndRecord end);

/// A stop of an ended run takes back the start that would follow it.
void forbid_next_run(VmState& state, const VmEvent& event, const StopRequested& body);

/// The run that must follow the ended one by itself: a reboot, or the restart policy.
std::optional<StartNextRun> following_run(const VmState& state);

}  // namespace vigil::machine

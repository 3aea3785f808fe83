// state + event -> state + effects: the whole life of a VM as one pure function.
//
// Order:  the actor gives each event to the store's batch (which numbers it, or says that it is a duplicate: then it is not reduced), reduces it, adds
//         verdict::announcement(state) when there is one (and reduces that too), commits the batch, and only then runs the effects.
// Bad input: an event that cannot happen in this state (of another run, after the end) changes nothing but `stray_events`. No input aborts.
#pragma once

#include "host/machine/effect.hpp"
#include "host/machine/vm_event.hpp"
#include "host/machine/vm_state.hpp"
#include "shared/base/result.hpp"

#include <optional>
#include <span>
#include <vector>

namespace vigil::machine {

std::vector<Effect> reduce(VmState& state, const VmEvent& event);

/// The fold over all events of an instance, in order.
VmState replay(std::span<const VmEvent> events);

/// The same, as it stood when `run` was the current one; events of later runs are left out. nullopt: no such run.
std::optional<VmState> replay_run(std::span<const VmEvent> events, RunNumber run);

/// What an actor made from a replayed state has to do again: deadlines, a pending stop or kill.
std::vector<Effect> pending_effects(const VmState& state);

/// Set when the restart policy would start it again, had it not tried max_unready_restarts times in a row.
std::optional<EndRestarts> exhausted_restarts(const VmState& state);

/// Errc::conflict with the reason, when a new run cannot be opened now.
Result<RunNumber> next_run(const VmState& state);

}  // namespace vigil::machine

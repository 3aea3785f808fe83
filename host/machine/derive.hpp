// Power, state, liveness and outcome of a VM, read from what is known; CONTRACTS' table, first match wins.
//
// Two readings that the table leaves open: a VM that we were asked to kill is `stopped` (outcome destroyed), not crashed; a boot stage that comes after
// its deadline takes the failure back (the deadline stays in the events).
#pragma once

#include "host/machine/vm_state.hpp"
#include "shared/protocol/state.hpp"

#include <optional>

namespace vigil::machine {

protocol::RunState derive(const VmState& state);
/// What the services say, panics and ends left aside: failed, booting, unready, degraded or ready. `booting` until every service is known.
protocol::RunState derive_from_guest(const Run& run);
protocol::Power power(const VmState& state);
protocol::Liveness liveness(const VmState& state);

/// Of an ended run; nullopt while it lives or when there was none.
std::optional<protocol::Outcome> outcome(const VmState& state);

/// From StartRequested to the first ready, on the host's clock.
std::optional<std::uint64_t> ready_after_ms(const VmState& state);

/// The VMM ended, and neither the guest said bye nor did we ask for it.
bool ended_unasked(const Run& run);

/// A service that will not become ready by itself: failed, or not ready after its deadline.
bool gave_up(const protocol::ServiceReport& service);

/// The console said that the kernel panicked, and the guest has not spoken since.
const FindingRecord* panic_finding(const Run& run);

}  // namespace vigil::machine

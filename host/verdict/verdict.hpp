// Why is this VM as it is: one main cause with its evidence, and what else is wrong. A pure function of the recorded run.
//
// Shape:  `main` is empty when nothing is wrong (ready, booting in time, stopped as asked). Missing evidence gives unknown{seen}, never a guess.
//         Once the end of a run has been announced its main cause is the announced one for ever.
// Source: tech §1.10 for the ends of a VMM; CONTRACTS "Cause codes".
#pragma once

#include "host/machine/vm_state.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vigil::verdict {

/// One cause, of whom, since when. Evidence lines are in the cause itself.
struct Finding {
  protocol::Cause cause;
  std::optional<ServiceName> service;
  UnixUs at_unix_us = 0;
  friend bool operator==(const Finding&, const Finding&) = default;
};

struct Verdict {
  protocol::RunState state = protocol::RunState::stopped;
  std::optional<protocol::Outcome> outcome;
  std::optional<Finding> main;
  std::vector<Finding> also;                    // other causes, most severe first, at most 16
  std::string summary;                          // one line for people
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// `console_tail`: the last lines of the run's console, used as evidence when the console itself is what matters; may be empty.
Verdict classify(const machine::VmState& state, std::span<const std::string> console_tail = {});

/// The StateChanged to record now, when state, power, liveness, outcome or cause differ from what was announced last.
std::optional<machine::StateChanged> announcement(const machine::VmState& state, std::span<const std::string> console_tail = {});

}  // namespace vigil::verdict

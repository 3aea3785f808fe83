// The states of one service and how events move it between them.
//
// Shape:  pure; one table. What a death means (restart, give up, done) is the restart policy's word and comes in as the event.
//         An event that a state has no row for changes nothing.
// Source: CONTRACTS "States" (service states).
#pragma once

#include "shared/base/enum_names.hpp"
#include "shared/protocol/state.hpp"

#include <optional>

namespace vigil::guest::supervisor {

enum class ServiceEvent {
  may_start,            // all that it waits for is there
  dependency_failed,    // something it requires is failed for good
  became_ready,         // every probe has passed
  deadline_passed,      // not ready in time; the process goes on and may still become ready
  became_unhealthy,
  became_healthy,
  ended_for_restart,    // died; the policy says later
  ended_for_restart_now,
  ended_for_good,       // died; the policy gives up
  ended_finished,       // ended with success and need not run again
  backoff_over,
  start_asked,
  stop_asked,           // while it has a process
  stop_asked_idle,      // while it has none
};

enum class MachineAction { none, launch, arm_backoff, stop_process };

struct ServiceTransition {
  protocol::ServiceState next = protocol::ServiceState::waiting;
  MachineAction action = MachineAction::none;
  friend bool operator==(const ServiceTransition&, const ServiceTransition&) = default;
};

/// nullopt: the event means nothing in this state.
std::optional<ServiceTransition> next_transition(protocol::ServiceState state, ServiceEvent event);

}  // namespace vigil::guest::supervisor

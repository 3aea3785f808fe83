// The type texts of the host's own events; private to this folder (vm_event.hpp and event_codec.hpp are the way in).
#pragma once

#include "host/machine/vm_event.hpp"

#include <string_view>

namespace vigil::machine {

inline constexpr std::string_view host_types[] = {
    "created",      "start_requested", "vmm_started",    "start_failed", "link_up",    "link_lost", "link_refused", "egress_refused", "clock_synced", "console_finding",
    "deadline_passed", "stop_requested", "vmm_exited", "device_exited", "vmm_halted", "shim_lost", "adopted", "state", "removed", "logs_lost", "reconciled",
    "restarts_ended", "pulse", "hold_set", "lease_set", "policy_paused", "policy_decided", "token_bound", "report_repeated"};

/// Stands for a guest's report type that is empty or spelled like one of the host's: a guest must not be able to write the host's events.
inline constexpr std::string_view other_type = "other";

bool is_host_type(std::string_view type);

}  // namespace vigil::machine

// What the answers to clients of the earlier service share: its times, its names of states.
#pragma once

#include "host/api/vm_control.hpp"
#include "host/sessions/session.hpp"
#include "shared/base/clock.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace vigil::api {

/// "2026-01-01T12:00:00.000Z".
std::string iso_time(UnixUs at);
/// null for 0: it is not known, or there is none.
nlohmann::json iso_or_null(UnixUs at);
/// When the VM was heard of last: now, while its link is up; null: never in this run.
nlohmann::json last_heartbeat_of(const machine::VmState& state);

const char* old_session_status(sessions::State state);

}  // namespace vigil::api

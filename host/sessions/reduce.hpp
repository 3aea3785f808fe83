// The one way by which a session changes: a pure function of what is known and what happened.
//
// Shape:  an event that cannot happen in this state changes nothing and gives Outcome::stray (it is not recorded); terminal states take only what is told of the VM's removal.
#pragma once

#include "host/sessions/session.hpp"

#include <vector>

namespace vigil::sessions {

enum class Outcome { changed, stray };

Outcome reduce(Session& session, const Event& event);
/// nullopt: the first event is no Opened.
std::optional<Session> replay(const std::vector<Event>& events);

/// What has to be under way; whoever carries it out ends with an event that changes this.
enum class Work { make_vm, watch_vm, run_cli, store, hand_over, remove_vm };
std::optional<Work> work_of(const Session& session);
/// Why the session's VM goes: "session completed", "session failed: signin.vm_lost", ...
std::string removal_rule(const Session& session);

}  // namespace vigil::sessions

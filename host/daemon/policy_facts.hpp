// Between what is known of a VM and what its policies are about.
#pragma once

#include "host/daemon/vm_uses.hpp"
#include "host/machine/vm_state.hpp"
#include "host/policy/policy.hpp"

#include <string>

namespace vigil::daemon {

policy::Settings settings_of(const machine::InstanceSpec& spec);
policy::Facts facts_of(const machine::VmState& state, const VmUses& uses, UnixUs now);
machine::PolicyDecided event_of(const policy::Decision& decision);
/// Whether `decision` is other than what was told before; null: nothing was told in this run.
bool is_news(const machine::PolicyDecided* told, const policy::Decision& decision);
/// "idle policy": who asked for what a rule does.
std::string policy_actor_of(policy::Rule rule);

}  // namespace vigil::daemon

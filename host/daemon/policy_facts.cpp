#include "host/daemon/policy_facts.hpp"

#include <algorithm>

namespace vigil::daemon {

namespace {

std::vector<std::string> names_of(const std::vector<policy::Holder>& holders) {
  std::vector<std::string> names;
  for (const auto& each : holders) names.push_back(std::string(to_text(each.kind)) + (each.name.empty() ? "" : " " + each.name));
  if (names.size() > machine::max_holds) names.resize(machine::max_holds);
  return names;
}

}  // namespace

policy::Settings settings_of(const machine::InstanceSpec& spec) { return {spec.lease_s, spec.idle_s, spec.expire_s}; }

policy::Facts facts_of(const machine::VmState& state, const VmUses& uses, UnixUs now) {
  policy::Facts facts;
  facts.now = now;
  facts.is_running = state.run && !state.run->end;
  facts.is_stopping = facts.is_running && (state.run->stop || state.run->bye);
  facts.stopped_since = state.created_unix_us;
  if (state.run) facts.run_started = state.run->started_unix_us;
  if (state.run && state.run->end) facts.stopped_since = state.run->end->at_unix_us;
  if (state.lease) facts.lease_until = state.lease->until_unix_us;
  if (state.policy_paused) facts.paused_until = state.policy_paused->until_unix_us;
  facts.last_used = uses.last_used(state.id);
  facts.holders = uses.holders(state.id);
  for (const auto& [name, hold] : state.holds) {
    if (hold.until_unix_us > now) facts.holders.push_back({policy::HolderKind::hold, name, hold.until_unix_us});
    facts.last_used = std::max(facts.last_used, std::min(hold.until_unix_us, now));   // a hold is a use until it ends
  }
  return facts;
}

machine::PolicyDecided event_of(const policy::Decision& decision) {
  return {std::string(to_text(decision.rule)),
          std::string(to_text(decision.action)),
          std::string(to_text(decision.verdict)),
          decision.why,
          decision.due,
          decision.inputs,
          decision.thresholds,
          names_of(decision.holders)};
}

bool is_news(const machine::PolicyDecided* told, const policy::Decision& decision) {
  if (told == nullptr) return decision.verdict != policy::Verdict::waits;
  if (told->verdict != to_text(decision.verdict)) return true;
  return decision.verdict == policy::Verdict::held && told->holders != names_of(decision.holders);
}

std::string policy_actor_of(policy::Rule rule) { return std::string(to_text(rule)) + " policy"; }

}  // namespace vigil::daemon

#include "host/policy/policy.hpp"

#include <algorithm>

namespace vigil::policy {

namespace {

constexpr UnixUs us_per_s = 1'000'000;

std::int64_t seconds(UnixUs us) { return static_cast<std::int64_t>(us / us_per_s); }
std::int64_t seconds_between(UnixUs from, UnixUs to) { return to > from ? seconds(to - from) : 0; }

std::vector<Holder> holding_at(const Facts& facts) {
  std::vector<Holder> holders;
  for (const auto& each : facts.holders)
    if (each.until == 0 || each.until > facts.now) holders.push_back(each);
  return holders;
}

std::string named(const Holder& holder) { return std::string(to_text(holder.kind)) + (holder.name.empty() ? "" : " " + holder.name); }

/// What follows from the time at which a rule is due.
void judge(Decision& decision, const Facts& facts, const std::string& reason) {
  if (facts.now < decision.due) {
    decision.verdict = Verdict::waits;
    decision.why = "due in " + std::to_string(seconds_between(facts.now, decision.due)) + " s";
    return;
  }
  decision.holders = holding_at(facts);
  if (facts.paused_until > facts.now) {
    decision.verdict = Verdict::paused;
    decision.thresholds["paused_until_unix_s"] = seconds(facts.paused_until);
    decision.why =
        reason + ", but its policies are paused for " + std::to_string(seconds_between(facts.now, facts.paused_until)) + " s more";
  } else if (!decision.holders.empty()) {
    decision.verdict = Verdict::held;
    decision.inputs["holders"] = static_cast<std::int64_t>(decision.holders.size());
    decision.why = reason + ", but " + named(decision.holders.front()) + " needs it" +
                   (decision.holders.size() > 1 ? " and " + std::to_string(decision.holders.size() - 1) + " more do" : "");
  } else {
    decision.verdict = Verdict::acts;
    decision.why = reason;
  }
}

Decision of_rule(Rule rule, Action action, UnixUs due) {
  Decision decision;
  decision.rule = rule;
  decision.action = action;
  decision.due = due;
  return decision;
}

Decision lease(const Settings& settings, const Facts& facts) {
  auto decision = of_rule(Rule::lease, Action::stop, facts.lease_until.value_or(facts.run_started + settings.lease_s * us_per_s));
  decision.inputs = {{"now_unix_s", seconds(facts.now)}, {"run_started_unix_s", seconds(facts.run_started)}};
  decision.thresholds = {{"lease_s", static_cast<std::int64_t>(settings.lease_s)}, {"lease_until_unix_s", seconds(decision.due)}};
  judge(decision, facts, "its lease ended " + std::to_string(seconds_between(decision.due, facts.now)) + " s ago");
  return decision;
}

/// A holder is a use that goes on: idleness begins when the last one has gone.
Decision idle(const Settings& settings, const Facts& facts) {
  const auto last = std::max(facts.last_used, facts.run_started);
  auto decision = of_rule(Rule::idle, Action::stop, last + settings.idle_s * us_per_s);
  decision.inputs = {{"now_unix_s", seconds(facts.now)}, {"last_used_unix_s", seconds(last)}, {"idle_s", seconds_between(last, facts.now)}};
  decision.thresholds = {{"idle_s", static_cast<std::int64_t>(settings.idle_s)}};
  judge(decision, facts, "nobody has used it for " + std::to_string(seconds_between(last, facts.now)) + " s");
  return decision;
}

Decision expiry(const Settings& settings, const Facts& facts) {
  const auto since = std::max(facts.stopped_since, facts.last_used);
  auto decision = of_rule(Rule::expiry, Action::remove, since + settings.expire_s * us_per_s);
  decision.inputs = {
      {"now_unix_s", seconds(facts.now)}, {"stopped_since_unix_s", seconds(since)}, {"stopped_s", seconds_between(since, facts.now)}};
  decision.thresholds = {{"expire_s", static_cast<std::int64_t>(settings.expire_s)}};
  judge(decision, facts, "it has not run for " + std::to_string(seconds_between(since, facts.now)) + " s");
  return decision;
}

}  // namespace

std::vector<Decision> decide(const Settings& settings, const Facts& facts) {
  std::vector<Decision> decisions;
  if (facts.is_running && !facts.is_stopping) {
    if (settings.lease_s != 0 || facts.lease_until) decisions.push_back(lease(settings, facts));
    if (settings.idle_s != 0) decisions.push_back(idle(settings, facts));
  }
  if (!facts.is_running && settings.expire_s != 0) decisions.push_back(expiry(settings, facts));
  bool acted = false;
  for (auto& each : decisions) {
    if (each.verdict != Verdict::acts) continue;
    if (acted) each.verdict = Verdict::waits;   // the rule before it does the same
    acted = true;
  }
  return decisions;
}

std::optional<UnixUs> next_look(const Facts& facts, const std::vector<Decision>& decisions) {
  std::optional<UnixUs> next;
  const auto consider = [&](UnixUs at) {
    if (at > facts.now && (!next || at < *next)) next = at;
  };
  for (const auto& each : decisions) {
    if (each.verdict == Verdict::waits) consider(each.due);
    if (each.verdict == Verdict::paused) consider(facts.paused_until);
    if (each.verdict == Verdict::held)
      for (const auto& holder : each.holders) consider(holder.until);
  }
  return next;
}

}  // namespace vigil::policy

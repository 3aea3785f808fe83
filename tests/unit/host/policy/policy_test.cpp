// Rules by which a VM is stopped or removed, over every kind of moment.
#include "host/policy/policy.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <random>

namespace vigil::policy {

namespace {

constexpr UnixUs s = 1'000'000, start = 1'800'000'000 * s;

Facts running_for(UnixUs seconds) {
  Facts facts;
  facts.now = start + seconds * s;
  facts.is_running = true;
  facts.run_started = facts.last_used = start;
  return facts;
}

Decision only(const std::vector<Decision>& decisions) {
  REQUIRE(decisions.size() == 1);
  return decisions.front();
}

}  // namespace

TEST_CASE("policy: a lease runs out to the second, and can be renewed", "[host][policy]") {
  const Settings settings{.lease_s = 60};
  CHECK(only(decide(settings, running_for(59))).verdict == Verdict::waits);
  const auto due = only(decide(settings, running_for(60)));
  CHECK(due.verdict == Verdict::acts);
  CHECK(due.rule == Rule::lease);
  CHECK(due.action == Action::stop);
  CHECK(due.thresholds.at("lease_s") == 60);
  CHECK(due.inputs.at("now_unix_s") == static_cast<std::int64_t>(start / s) + 60);
  auto renewed = running_for(60);
  renewed.lease_until = start + 90 * s;
  CHECK(only(decide(settings, renewed)).verdict == Verdict::waits);
  renewed.now = start + 90 * s;
  CHECK(only(decide(settings, renewed)).verdict == Verdict::acts);
  CHECK(only(decide({}, renewed)).rule == Rule::lease);   // one that was given later, to a VM made without
}

TEST_CASE("policy: who needs the VM keeps it, whatever the rule, for as long as he said", "[host][policy]") {
  const Settings settings{.lease_s = 60, .idle_s = 30};
  for (const auto kind : {HolderKind::exec, HolderKind::stream, HolderKind::session, HolderKind::hold}) {
    auto facts = running_for(100);
    facts.holders = {{kind, "somebody", kind == HolderKind::hold ? start + 120 * s : 0}};
    for (const auto& each : decide(settings, facts)) {
      CHECK(each.verdict == Verdict::held);
      CHECK(each.holders == facts.holders);
      CHECK(each.why.find("somebody") != std::string::npos);
    }
    facts.now = start + 120 * s;
    const bool is_over = kind == HolderKind::hold;
    CHECK((decide(settings, facts).front().verdict == Verdict::acts) == is_over);
  }
}

TEST_CASE("policy: idleness counts from the last use, not from the start", "[host][policy]") {
  const Settings settings{.idle_s = 30};
  auto facts = running_for(100);
  facts.last_used = start + 80 * s;
  const auto waits = only(decide(settings, facts));
  CHECK(waits.verdict == Verdict::waits);
  CHECK(waits.due == start + 110 * s);
  facts.now = start + 110 * s;
  const auto acts = only(decide(settings, facts));
  CHECK(acts.verdict == Verdict::acts);
  CHECK(acts.inputs.at("idle_s") == 30);
  facts.last_used = start - 1000 * s;   // used in a run before: a new run begins anew
  facts.now = start + 20 * s;
  CHECK(only(decide(settings, facts)).verdict == Verdict::waits);
}

TEST_CASE("policy: a pause has an end, after which what was due is due", "[host][policy]") {
  const Settings settings{.lease_s = 60};
  auto facts = running_for(100);
  facts.paused_until = start + 130 * s;
  const auto paused = only(decide(settings, facts));
  CHECK(paused.verdict == Verdict::paused);
  CHECK(paused.thresholds.at("paused_until_unix_s") == static_cast<std::int64_t>(start / s) + 130);
  facts.now = start + 130 * s;
  CHECK(only(decide(settings, facts)).verdict == Verdict::acts);
}

TEST_CASE("policy: a VM that does not run expires, one that runs does not", "[host][policy]") {
  const Settings settings{.expire_s = 1000};
  CHECK(decide(settings, running_for(5000)).empty());
  Facts facts;
  facts.now = start + 999 * s;
  facts.stopped_since = start;
  CHECK(only(decide(settings, facts)).verdict == Verdict::waits);
  facts.now = start + 1000 * s;
  const auto acts = only(decide(settings, facts));
  CHECK(acts.verdict == Verdict::acts);
  CHECK(acts.action == Action::remove);
}

TEST_CASE("policy: without rules, and of a VM that stops already, nothing is decided", "[host][policy]") {
  CHECK(decide({}, running_for(1'000'000)).empty());
  auto stopping = running_for(1000);
  stopping.is_stopping = true;
  CHECK(decide({.lease_s = 1, .idle_s = 1}, stopping).empty());
}

TEST_CASE("policy: whatever the facts, nothing that is in use or paused is acted upon, and at most one rule acts", "[host][policy]") {
  std::mt19937 random(20261127);
  const auto below = [&random](std::uint64_t bound) { return std::uniform_int_distribution<std::uint64_t>(0, bound)(random); };
  for (int round = 0; round < 20'000; ++round) {
    const Settings settings{below(1) * below(100), below(1) * below(100), below(1) * below(100)};
    Facts facts;
    facts.now = start + below(300) * s;
    facts.is_running = below(1) == 1;
    facts.is_stopping = below(9) == 0;
    facts.run_started = start + below(100) * s;
    if (below(3) == 0) facts.lease_until = start + below(300) * s;
    facts.last_used = start + below(300) * s;
    facts.stopped_since = start + below(300) * s;
    if (below(3) == 0) facts.paused_until = start + below(400) * s;
    for (auto left = below(2); left > 0; --left) facts.holders.push_back({HolderKind::hold, "h", below(1) * (start + below(400) * s)});
    const bool in_use = std::any_of(facts.holders.begin(), facts.holders.end(),
                                    [&facts](const Holder& each) { return each.until == 0 || each.until > facts.now; });
    const auto decisions = decide(settings, facts);
    const auto acting =
        std::count_if(decisions.begin(), decisions.end(), [](const Decision& each) { return each.verdict == Verdict::acts; });
    CHECK(acting <= 1);
    if (in_use || facts.paused_until > facts.now) CHECK(acting == 0);
    for (const auto& each : decisions) {
      CHECK((each.action == Action::remove) == !facts.is_running);
      if (each.verdict != Verdict::waits) CHECK(each.due <= facts.now);
    }
  }
}

TEST_CASE("policy: the next look is at the first date that can change anything", "[host][policy]") {
  const Settings settings{.lease_s = 60, .idle_s = 30};
  auto facts = running_for(10);
  const auto next = [&] { return next_look(facts, decide(settings, facts)); };
  CHECK(next() == start + 30 * s);
  facts.last_used = start + 50 * s;
  CHECK(next() == start + 60 * s);
  facts.now = start + 70 * s;                                              // the lease is over, idleness is not
  facts.holders = {{HolderKind::exec, "a", 0}, {HolderKind::hold, "b", start + 75 * s}, {HolderKind::hold, "c", start + 72 * s}};
  CHECK(next() == start + 72 * s);
  facts.paused_until = start + 71 * s;
  CHECK(next() == start + 71 * s);
  facts.paused_until = 0;
  facts.holders = {{HolderKind::exec, "a", 0}};                            // that it goes is no matter of time
  CHECK(next() == start + 80 * s);
  facts.holders.clear();
  facts.now = start + 90 * s;
  CHECK_FALSE(next());
  CHECK_FALSE(next_look(facts, {}));
}

TEST_CASE("policy: between two looks nothing changes by itself", "[host][policy]") {
  std::mt19937 dice(7);
  const auto upto = [&](UnixUs most) { return std::uniform_int_distribution<UnixUs>(0, most)(dice); };
  for (int round = 0; round < 300; ++round) {
    const Settings settings{.lease_s = upto(90), .idle_s = upto(60), .expire_s = upto(60)};
    auto facts = running_for(upto(100));
    facts.is_running = upto(3) != 0;
    facts.last_used = start + upto(100) * s;
    facts.stopped_since = start + upto(50) * s;
    if (upto(2) == 0) facts.paused_until = start + upto(150) * s;
    for (auto n = upto(3); n > 0; --n)
      facts.holders.push_back({HolderKind::hold, std::to_string(n), upto(4) == 0 ? 0 : start + upto(150) * s});
    const auto before = decide(settings, facts);
    const auto next = next_look(facts, before);
    auto later = facts;
    later.now = next ? *next - 1 : facts.now + 1'000 * s;
    const auto after = decide(settings, later);
    REQUIRE(after.size() == before.size());
    for (std::size_t n = 0; n < after.size(); ++n) CHECK(after[n].verdict == before[n].verdict);
  }
}

}  // namespace vigil::policy

// What policies are told of a VM: who uses it, since when nobody does, and what of it is news.
#include "host/daemon/policy_facts.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::daemon {

using namespace vigil::machine::test;

namespace {

class HandClock final : public Clock {
public:
  UnixUs unix_us() const override { return now; }
  MonoUs mono_us() const override { return now; }
  UnixUs now = epoch_unix_us;
};

constexpr UnixUs second = 1'000'000;

}  // namespace

TEST_CASE("uses: a token is a use as long as it lives, and its end is the last use", "[host][daemon]") {
  HandClock clock;
  VmUses uses(clock);
  clock.now += 100 * second;
  CHECK(uses.last_used(vm_id) == epoch_unix_us);   // nothing is known: as if used when the daemon began
  auto token = uses.begin(vm_id, policy::HolderKind::exec, "/bin/sh");
  clock.now += 50 * second;
  REQUIRE(uses.holders(vm_id).size() == 1);
  CHECK(uses.holders(vm_id).front().name == "/bin/sh");
  CHECK(uses.last_used(vm_id) == clock.now);
  token.reset();
  const auto ended = clock.now;
  clock.now += 30 * second;
  CHECK(uses.holders(vm_id).empty());
  CHECK(uses.last_used(vm_id) == ended);
}

TEST_CASE("uses: a token may outlive the table", "[host][daemon]") {
  HandClock clock;
  auto uses = std::make_unique<VmUses>(clock);
  auto token = uses->begin(vm_id, policy::HolderKind::stream, "port 80");
  uses.reset();
  token.reset();
  SUCCEED("under ASan");
}

TEST_CASE("uses: what a stream is a use of", "[host][daemon]") {
  CHECK(use_of(R"({"v":1,"op":"exec","argv":["/bin/ls","-l"]})").name == "/bin/ls");
  CHECK(use_of(R"({"v":1,"op":"exec","argv":["/bin/ls","-l"]})").kind == policy::HolderKind::exec);
  CHECK(use_of(R"({"v":1,"op":"tcp","port":8080})").name == "port 8080");
  CHECK(use_of("not JSON").kind == policy::HolderKind::stream);
}

TEST_CASE("policy facts: what was said of holds, lease and pause is in them, and survives a replay", "[host][daemon]") {
  HandClock clock;
  const VmUses uses(clock);
  Story story;
  story.become_ready();
  story.tell(5000, machine::HoldSet{"alice", epoch_unix_us + 100 * second, "uid 1000"});
  story.tell(5001, machine::HoldSet{"bob", epoch_unix_us + 200 * second, "uid 1001"});
  story.tell(5002, machine::LeaseSet{epoch_unix_us + 300 * second, "uid 0"});
  story.tell(5003, machine::PolicyPaused{epoch_unix_us + 400 * second, "uid 0"});
  CHECK(machine::replay(story.events) == story.state);
  const auto facts = facts_of(story.state, uses, epoch_unix_us + 150 * second);
  CHECK(facts.is_running);
  REQUIRE(facts.holders.size() == 1);                  // alice's time is past
  CHECK(facts.holders.front().name == "bob");
  CHECK(facts.last_used == epoch_unix_us + 150 * second);
  CHECK(facts.lease_until == epoch_unix_us + 300 * second);
  CHECK(facts.paused_until == epoch_unix_us + 400 * second);

  story.tell(6000, machine::HoldSet{"bob", 0, "uid 1001"});   // released
  CHECK(facts_of(story.state, uses, epoch_unix_us + 150 * second).holders.empty());
  story.tell(7000, machine::StopRequested{machine::StopKind::kill, std::chrono::milliseconds(0), "alice"});
  CHECK(facts_of(story.state, uses, epoch_unix_us + 8 * second).is_stopping);
  story.exit(7100, ExitSignal{9, false}, "");
  const auto stopped = facts_of(story.state, uses, epoch_unix_us + 8 * second);
  CHECK_FALSE(stopped.is_running);
  CHECK(stopped.stopped_since == story.state.run->end->at_unix_us);
}

TEST_CASE("policy facts: a decision is news when its verdict or its holders change, and when it acts in another run", "[host][daemon]") {
  policy::Decision decision;
  CHECK_FALSE(is_news(nullptr, decision));
  decision.verdict = policy::Verdict::held;
  decision.holders = {{policy::HolderKind::hold, "alice", 5}};
  CHECK(is_news(nullptr, decision));
  const auto told = event_of(decision);
  CHECK(told.holders == std::vector<std::string>{"hold alice"});
  CHECK_FALSE(is_news(&told, decision));
  decision.holders.push_back({policy::HolderKind::exec, "/bin/sh", 0});
  CHECK(is_news(&told, decision));
  decision.verdict = policy::Verdict::acts;
  CHECK(is_news(&told, decision));

  Story story;
  story.become_ready();
  story.tell(5000, event_of(decision));
  CHECK(story.state.decided.contains("lease"));
  story.exit(6000, ExitCode{0}, "");
  story.run = RunNumber(2);
  story.tell(7000, machine::StartRequested{"alice", Accelerator::kvm});
  CHECK(story.state.decided.empty());
}

TEST_CASE("policy facts: no more holds than there is room for", "[host][daemon]") {
  Story story;
  story.become_ready();
  for (std::size_t each = 0; each <= machine::max_holds; ++each)
    story.tell(5000 + each, machine::HoldSet{"h" + std::to_string(each), epoch_unix_us + 900 * second, "a"});
  CHECK(story.state.holds.size() == machine::max_holds);
  story.tell(1'000'000, machine::HoldSet{"late", epoch_unix_us + 2000 * second, "a"});   // the others' time is past
  CHECK(story.state.holds.size() == 1);
}

}  // namespace vigil::daemon

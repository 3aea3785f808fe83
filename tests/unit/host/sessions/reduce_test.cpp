#include "host/sessions/reduce.hpp"
#include "host/sessions/session_json.hpp"
#include "shared/base/overloaded.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <nlohmann/json.hpp>

#include <random>

namespace vigil::sessions {

using protocol::CauseCode;
using protocol::make_cause;
using Step = protocol::SigninReport::Step;

namespace {

constexpr UnixUs second = 1'000'000;

Opened an_order() {
  Opened order;
  order.user = "alice";
  order.provider = signin::Provider::codex;
  order.vm_spec = "{}";
  order.patience = {.boot_s = 10, .address_s = 10, .user_s = 100, .store_s = 10, .deliver_s = 10, .lease_s = 20, .max_age_s = 300};
  return order;
}

const InstanceId its_vm("vm-0000000001");

class Story {
public:
  Story() { happen(an_order()); }
  Outcome happen(EventBody body) { return reduce(session, Event{++seq, "ss-0000000001", now, std::move(body)}); }
  Outcome step(Step step, std::uint32_t attempt = 1) {
    Stepped stepped;
    stepped.attempt = attempt;
    stepped.step = step;
    if (step == Step::url_found) stepped.url = "https://provider/authorize";
    return happen(std::move(stepped));
  }
  void until(State state) {
    if (state >= State::cli_starting) happen(VmGiven{its_vm, Ownership::made, 5}), happen(VmReady{});
    if (state >= State::waiting_for_address) step(Step::cli_started);
    if (state >= State::waiting_for_user) step(Step::url_found);
    if (state >= State::storing) step(Step::credential_found);
    if (state >= State::delivering) happen(Stored{1, 10, "ab", "codex/1"});
  }

  Session session;
  UnixUs now = 1000 * second;
  std::uint64_t seq = 0;
};

std::vector<State> states_of(const Session& session) {
  std::vector<State> states;
  for (const auto& reached : session.history) states.push_back(reached.state);
  return states;
}

EventBody random_body(std::mt19937& random) {
  const auto one_of = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  switch (one_of(17)) {
    case 0: return an_order();
    case 1:
      return VmGiven{InstanceId("vm-000000000" + std::to_string(one_of(3))), one_of(2) == 0 ? Ownership::made : Ownership::attached,
                     one_of(50)};
    case 2: return VmReady{};
    case 3: return one_of(4) == 0 ? EventBody(Resumed{}) : EventBody(VmReady{});
    case 4: return Refused{"x", one_of(50)};
    case 5: return Stored{one_of(9), 1, "ab", "s"};
    case 6: return Forgotten{};
    case 7: return Delivered{"vm-1", "/p", one_of(2) == 0 ? "" : "no"};
    case 8: return Checked{Validity::valid, "x"};
    case 9: return Held{one_of(1000) * second, "me"};
    case 10: return DeadlinePassed{one_of(2) == 0};
    case 11: return one_of(5) == 0 ? EventBody(VmLost{make_cause(CauseCode::signin_vm_lost), one_of(50)}) : EventBody(VmReady{});
    case 12: return one_of(5) == 0 ? EventBody(Broken{make_cause(CauseCode::signin_not_started)}) : EventBody(Forgotten{});
    case 13: return one_of(6) == 0 ? EventBody(CancelAsked{"me"}) : EventBody(VmReady{});
    case 14: return VmRemoved{"r", ""};
    default: {
      Stepped step;
      step.attempt = 1 + one_of(2);
      step.step = static_cast<Step>(one_of(7));
      step.vm_seq = one_of(50);
      if (step.step == Step::credential_found) step.credential = protocol::SigninCredential{"codex/1", "ab", 10};
      if (step.step == Step::failed) step.cause = make_cause(CauseCode::signin_cli_exited);
      return step;
    }
  }
}

}  // namespace

TEST_CASE("session: goes from its VM to the vault and the CLI VM, and its VM goes", "[host][sessions]") {
  Story story;
  CHECK(work_of(story.session) == Work::make_vm);
  story.happen(VmGiven{its_vm, Ownership::made, 5});
  CHECK(work_of(story.session) == Work::watch_vm);
  story.happen(VmReady{});
  CHECK(work_of(story.session) == Work::run_cli);
  for (const auto step :
       {Step::cli_started, Step::url_found, Step::browser_open, Step::waiting_for_user, Step::callback_seen, Step::credential_found})
    story.step(step);
  CHECK(work_of(story.session) == Work::store);
  story.happen(Stored{1, 10, "ab", "codex/1"});
  CHECK(work_of(story.session) == Work::hand_over);
  story.happen(Forgotten{});
  story.happen(Delivered{"vm-2", "/home/agent/.codex/auth.json", ""});
  CHECK(story.session.state == State::delivering);
  story.happen(Checked{Validity::valid, "codex login status: exit 0"});
  CHECK(states_of(story.session) == std::vector{State::vm_starting, State::cli_starting, State::waiting_for_address,
                                                State::waiting_for_user, State::callback_seen, State::storing, State::delivering,
                                                State::completed});
  CHECK(work_of(story.session) == Work::remove_vm);
  CHECK(removal_rule(story.session) == "session ss-0000000001 completed");
  CHECK(story.session.url.empty());
  story.happen(VmRemoved{"r", ""});
  CHECK_FALSE(work_of(story.session));
}

TEST_CASE("session: its VM's end fails it with that cause, until the credential is in the vault", "[host][sessions]") {
  const auto lost = make_cause(CauseCode::signin_vm_lost, {}, {"its VM is crashed"});
  for (const auto state : {State::vm_starting, State::cli_starting, State::waiting_for_user, State::storing}) {
    Story story;
    story.until(state);
    story.happen(VmLost{lost, 9});
    CHECK(story.session.state == State::failed);
    CHECK(story.session.cause == lost);
  }
  Story stored;
  stored.until(State::delivering);
  stored.happen(VmLost{lost, 9});
  CHECK(stored.session.state == State::delivering);
  stored.happen(Delivered{"", "", "no CLI VM"});
  CHECK(stored.session.state == State::completed);
  CHECK_FALSE(stored.session.cause);
}

TEST_CASE("session: a VM that it was given is not removed", "[host][sessions]") {
  Story story;
  story.happen(VmGiven{its_vm, Ownership::attached, 5});
  story.happen(CancelAsked{"me"});
  CHECK(story.session.state == State::cancelled);
  CHECK_FALSE(work_of(story.session));
}

TEST_CASE("session: its deadline has a rule; one in use goes on, to its longest life at most", "[host][sessions]") {
  Story story;
  story.until(State::waiting_for_user);
  CHECK(story.happen(DeadlinePassed{}) == Outcome::stray);   // a timer that was too early
  story.now += 100 * second;
  story.happen(DeadlinePassed{true});   // a viewer is there
  CHECK(story.session.state == State::waiting_for_user);
  CHECK(story.session.deadline_unix_us == story.now + 20 * second);
  story.happen(Held{story.now + 50 * second, "me"});
  story.now += 20 * second;
  story.happen(DeadlinePassed{false});   // no viewer, but a heartbeat
  CHECK(story.session.state == State::waiting_for_user);
  story.now += 30 * second;
  story.happen(DeadlinePassed{false});
  CHECK(story.session.state == State::timed_out);
  CHECK(story.session.cause->evidence.front() == "rule user_deadline, while waiting_for_user");

  Story old;
  old.until(State::waiting_for_user);
  old.now += 300 * second;
  old.happen(DeadlinePassed{true});
  CHECK(old.session.state == State::timed_out);
  CHECK(old.session.cause->evidence.front() == "rule max_age, while waiting_for_user");

  Story booting;
  booting.now += 10 * second;
  booting.happen(DeadlinePassed{true});   // nobody waits for a boot longer than a boot takes
  CHECK(booting.session.cause->evidence.front() == "rule vm_starting_deadline, while vm_starting");

  Story delivering;
  delivering.until(State::delivering);
  delivering.now += 10 * second;
  delivering.happen(DeadlinePassed{});
  CHECK(delivering.session.state == State::completed);   // it is in the vault
}

TEST_CASE("session: after a restart of the daemon it begins anew, and what the earlier attempt says is not its own", "[host][sessions]") {
  Story story;
  story.until(State::waiting_for_user);
  CHECK(guest_name(story.session) == "ss-0000000001");
  story.happen(Resumed{});
  CHECK(story.session.state == State::cli_starting);
  CHECK(guest_name(story.session) == "ss-0000000001-2");
  CHECK(story.session.url.empty());
  CHECK(story.step(Step::failed) == Outcome::stray);   // the guest's end of the earlier one
  CHECK(story.step(Step::cli_started, 2) == Outcome::changed);
  Story stored;
  stored.until(State::storing);
  CHECK(stored.happen(Resumed{}) == Outcome::stray);   // the guest holds it still
}

TEST_CASE("session: whatever happens in whatever order, terminal states stay and states only go on", "[host][sessions]") {
  const auto seed = GENERATE(range(1U, 300U));
  std::mt19937 random(seed);
  Session session;
  std::vector<Event> recorded;
  UnixUs now = 1000 * second;
  for (std::uint64_t seq = 1; seq < 120; ++seq) {
    const auto before = session;
    now += random() % 30 * second;
    const Event event{seq, "ss-1", now, seq == 1 ? EventBody(an_order()) : random_body(random)};
    const auto outcome = reduce(session, event);
    INFO("seed " << seed << " event " << event_type(event.body));
    if (outcome == Outcome::changed) recorded.push_back(event);
    if (outcome == Outcome::stray) {
      auto unchanged = before;
      unchanged.vm_seq = session.vm_seq;   // what was looked at is remembered
      CHECK(session == unchanged);
    }
    // History is append-only and tells every state there was.
    REQUIRE(session.history.size() >= before.history.size());
    CHECK(std::equal(before.history.begin(), before.history.end(), session.history.begin()));
    CHECK(session.history.back().state == session.state);
    if (!before.id.empty() && is_terminal(before.state)) {
      CHECK(session.state == before.state);
      CHECK(session.cause == before.cause);
      CHECK(session.stored == before.stored);
    }
    const bool goes_back = !before.id.empty() && session.state < before.state;
    CHECK((!goes_back || std::holds_alternative<Resumed>(event.body)));
    // Only what it made is removed; a credential that is stored is never a failure; what failed has a cause.
    if (work_of(session) == Work::remove_vm) CHECK(session.ownership == Ownership::made);
    if (session.stored) CHECK(session.state != State::failed);
    if (is_terminal(session.state)) CHECK(session.cause.has_value() == (session.state != State::completed));
    CHECK((session.deadline_unix_us == 0) == is_terminal(session.state));
  }
  // Stored and read again, it is the same session: but for the address, which is kept nowhere.
  std::vector<Event> again;
  for (const auto& event : recorded) {
    const auto body = decode_body(event_type(event.body), encode_body(event.body));
    REQUIRE(body);
    again.push_back({event.seq, event.session, event.at_unix_us, *body});
  }
  const auto replayed = replay(again);
  REQUIRE(replayed);
  auto expected = *replay(recorded);
  expected.url = replayed->url;
  CHECK(*replayed == expected);
  CHECK(work_of(*replayed) == work_of(expected));
}

TEST_CASE("session: the sign-in address is served to who follows, and not kept", "[host][sessions]") {
  Stepped step;
  step.step = Step::url_found;
  step.url = "https://provider/authorize?state=private";
  const Event event{7, "ss-1", 1, step};
  CHECK(encode_body(event.body).find("private") == std::string::npos);
  CHECK(served_event(event, State::waiting_for_user).find("state=private") != std::string::npos);
}

}  // namespace vigil::sessions

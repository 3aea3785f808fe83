#include "host/sessions/reduce.hpp"

#include <algorithm>
#include <cstdlib>

namespace vigil::sessions {

using protocol::CauseCode;
using protocol::make_cause;
using Step = protocol::SigninReport::Step;

namespace {

constexpr std::size_t max_history = 256;
constexpr std::uint32_t max_steps = 256;   // of one session that change something: a CLI has a dozen
constexpr UnixUs us_a_second = 1'000'000;

bool is_signing_in(State state) { return state >= State::cli_starting && state <= State::callback_seen; }

/// How long a state may take.
std::uint32_t seconds_for(State state, const Patience& patience) {
  switch (state) {
    case State::vm_starting: return patience.boot_s;
    case State::cli_starting:
    case State::waiting_for_address: return patience.address_s;
    case State::waiting_for_user:
    case State::callback_seen: return patience.user_s;
    case State::storing: return patience.store_s;
    case State::delivering: return patience.deliver_s;
    case State::completed:
    case State::failed:
    case State::timed_out:
    case State::cancelled: return 0;
  }
  std::abort();
}

void go_to(Session& session, State state, UnixUs at) {
  session.state = state;
  if (session.history.size() < max_history || is_terminal(state)) session.history.push_back({state, at});
  const auto seconds = seconds_for(state, session.order.patience);
  session.deadline_unix_us = seconds == 0 ? 0 : at + seconds * us_a_second;
  if (is_terminal(state)) session.url.clear();
}

void end_with(Session& session, State state, UnixUs at, protocol::Cause cause) {
  session.cause = std::move(cause);
  go_to(session, state, at);
}

/// The deadline of a session in use moves on, to the end of its longest life at most.
Outcome pass_deadline(Session& session, const DeadlinePassed& passed, UnixUs at) {
  if (session.deadline_unix_us == 0 || at < session.deadline_unix_us) return Outcome::stray;
  if (session.state == State::delivering) {   // it is in the vault: what is late comes at the next start of the CLI VM
    if (!session.delivered) session.delivered = Delivered{"", "", "not delivered in time"};
    go_to(session, State::completed, at);
    return Outcome::changed;
  }
  const bool may_be_held = session.state == State::waiting_for_user || session.state == State::callback_seen;
  const auto last = session.history.front().at_unix_us + session.order.patience.max_age_s * us_a_second;
  const auto held_until = passed.in_use ? at + session.order.patience.lease_s * us_a_second : session.lease_unix_us;
  if (may_be_held && held_until > at && at < last) {
    session.deadline_unix_us = std::min(held_until, last);
    return Outcome::changed;
  }
  const auto rule = at >= last ? "max_age" : may_be_held ? "user_deadline" : std::string(vigil::to_text(session.state)) + "_deadline";
  end_with(
      session, State::timed_out, at,
      make_cause(CauseCode::signin_timed_out, {}, {"rule " + std::string(rule) + ", while " + std::string(vigil::to_text(session.state))}));
  return Outcome::changed;
}

State state_after(Step step, State now) {
  switch (step) {
    case Step::cli_started: return State::waiting_for_address;
    case Step::url_found:
    case Step::browser_open:
    case Step::waiting_for_user: return State::waiting_for_user;
    case Step::callback_seen: return State::callback_seen;
    case Step::credential_found: return State::storing;
    case Step::failed: return now;
  }
  std::abort();
}

/// What is told again and again is not written down again and again.
bool says_nothing_new(const Session& session, const Stepped& stepped) {
  const bool is_late = session.last_step && stepped.step <= *session.last_step && state_after(stepped.step, session.state) <= session.state;
  const bool is_known = (stepped.url.empty() || stepped.url == session.url) && (stepped.cli_version.empty() || stepped.cli_version == session.cli_version);
  return is_late && is_known && stepped.detail == session.last_detail && (!stepped.credential || stepped.credential == session.found);
}

Outcome take_step(Session& session, const Stepped& stepped, UnixUs at) {
  session.vm_seq = std::max(session.vm_seq, stepped.vm_seq);
  if (stepped.attempt != session.attempt || !is_signing_in(session.state)) return Outcome::stray;
  if (stepped.step == Step::failed) {
    end_with(session, State::failed, at, stepped.cause.value_or(make_cause(CauseCode::unknown, {}, {"the guest gave no cause"})));
    return Outcome::changed;
  }
  if (says_nothing_new(session, stepped)) return Outcome::stray;
  if (++session.steps > max_steps) {
    end_with(session, State::failed, at, make_cause(CauseCode::signin_not_started, {{"reason", "its VM reports steps without end"}}));
    return Outcome::changed;
  }
  if (!stepped.url.empty()) session.url = stepped.url;
  if (!stepped.cli_version.empty()) session.cli_version = stepped.cli_version;
  if (stepped.credential) session.found = stepped.credential;
  session.last_detail = stepped.detail;
  session.last_step = session.last_step ? std::max(*session.last_step, stepped.step) : stepped.step;
  const auto next = state_after(stepped.step, session.state);
  if (next > session.state) go_to(session, next, at);   // what comes late changes no state
  return Outcome::changed;
}

/// The CLI VM has it, or cannot have it now; and the guest that found it has forgotten it.
void finish_when_done(Session& session, UnixUs at) {
  if (session.state == State::delivering && session.forgotten && session.delivered && session.checked) go_to(session, State::completed, at);
}

Outcome open(Session& session, const Event& event, const Opened& order) {
  if (!session.id.empty()) return Outcome::stray;
  session.id = event.session;
  session.order = order;
  session.lease_unix_us = event.at_unix_us + order.patience.lease_s * us_a_second;
  go_to(session, State::vm_starting, event.at_unix_us);
  return Outcome::changed;
}

template <class Change>
Outcome when(bool possible, Change change) {
  if (!possible) return Outcome::stray;
  change();
  return Outcome::changed;
}

bool lives(const Session& session) { return !is_terminal(session.state); }

// ---- one function an event ----

Outcome on(Session&, const Opened&, UnixUs) { return Outcome::stray; }

Outcome on(Session& session, const VmGiven& given, UnixUs) {
  return when(lives(session) && !session.vm, [&] {
    session.vm = given.vm;
    session.ownership = given.ownership;
    session.vm_seq = given.vm_seq;
  });
}

Outcome on(Session& session, const VmReady&, UnixUs at) {
  return when(session.state == State::vm_starting && session.vm, [&] { go_to(session, State::cli_starting, at); });
}

Outcome on(Session& session, const Resumed&, UnixUs at) {
  return when(is_signing_in(session.state), [&] {
    ++session.attempt;
    session.last_step.reset();
    session.steps = 0;
    session.url.clear();
    go_to(session, State::cli_starting, at);
  });
}

Outcome on(Session& session, const Stepped& stepped, UnixUs at) { return take_step(session, stepped, at); }

Outcome on(Session& session, const Refused& refused, UnixUs) {
  return when(lives(session), [&] {
    ++session.refusals;
    session.last_refusal = refused.reason;
    session.vm_seq = std::max(session.vm_seq, refused.vm_seq);
  });
}

Outcome on(Session& session, const Stored& stored, UnixUs at) {
  return when(session.state <= State::storing, [&] {   // also one that a client has given
    session.stored = stored;
    go_to(session, State::delivering, at);
  });
}

Outcome on(Session& session, const Forgotten& forgotten, UnixUs at) {
  return when(session.state == State::delivering, [&] {
    session.forgotten = forgotten;
    finish_when_done(session, at);
  });
}

Outcome on(Session& session, const Delivered& delivered, UnixUs at) {
  return when(session.state == State::delivering, [&] {
    session.delivered = delivered;
    if (delivered.vm.empty() || !delivered.problem.empty()) session.checked = Checked{Validity::untested, "it is not in a CLI VM"};
    finish_when_done(session, at);
  });
}

Outcome on(Session& session, const Checked& checked, UnixUs at) {
  return when(session.state == State::delivering, [&] {
    session.checked = checked;
    finish_when_done(session, at);
  });
}

Outcome on(Session& session, const Held& held, UnixUs) {
  return when(lives(session), [&] { session.lease_unix_us = std::max(session.lease_unix_us, held.until_unix_us); });
}

Outcome on(Session& session, const DeadlinePassed& passed, UnixUs at) { return pass_deadline(session, passed, at); }

Outcome on(Session& session, const VmLost& lost, UnixUs at) {
  session.vm_seq = std::max(session.vm_seq, lost.vm_seq);
  if (session.state != State::delivering) return when(lives(session), [&] { end_with(session, State::failed, at, lost.cause); });
  return when(!session.forgotten, [&] {   // it held nothing any more that we have not
    session.forgotten = Forgotten{"its VM has ended"};
    finish_when_done(session, at);
  });
}

Outcome on(Session& session, const Broken& broken, UnixUs at) {
  return when(lives(session) && session.state != State::delivering, [&] { end_with(session, State::failed, at, broken.cause); });
}

Outcome on(Session& session, const CancelAsked& asked, UnixUs at) {
  return when(lives(session) && session.state != State::delivering,
              [&] { end_with(session, State::cancelled, at, make_cause(CauseCode::signin_cancelled, {}, {"by " + asked.actor})); });
}

Outcome on(Session& session, const VmRemoved&, UnixUs) {
  return when(!lives(session) && !session.vm_is_gone, [&] { session.vm_is_gone = true; });
}

}  // namespace

Outcome reduce(Session& session, const Event& event) {
  const auto* const order = std::get_if<Opened>(&event.body);
  const auto outcome = order != nullptr     ? open(session, event, *order)
                       : session.id.empty() ? Outcome::stray
                                            : std::visit([&](const auto& body) { return on(session, body, event.at_unix_us); }, event.body);
  if (outcome == Outcome::changed) session.last_seq = std::max(session.last_seq, event.seq);
  return outcome;
}

std::optional<Session> replay(const std::vector<Event>& events) {
  Session session;
  for (const auto& event : events) reduce(session, event);
  return session.id.empty() ? std::nullopt : std::optional(std::move(session));
}

std::optional<Work> work_of(const Session& session) {
  switch (session.state) {
    case State::vm_starting: return session.vm ? Work::watch_vm : Work::make_vm;
    case State::cli_starting:
    case State::waiting_for_address:
    case State::waiting_for_user:
    case State::callback_seen: return Work::run_cli;
    case State::storing: return Work::store;
    case State::delivering: return Work::hand_over;
    case State::completed:
    case State::failed:
    case State::timed_out:
    case State::cancelled: break;
  }
  const bool is_ours = session.vm && session.ownership == Ownership::made && !session.vm_is_gone;
  return is_ours ? std::optional(Work::remove_vm) : std::nullopt;
}

std::string removal_rule(const Session& session) {
  const auto cause = session.cause ? ": " + session.cause->text : "";
  return "session " + session.id + " " + std::string(vigil::to_text(session.state)) + cause;
}

std::string guest_name(const Session& session) {
  return session.attempt == 1 ? session.id : session.id + "-" + std::to_string(session.attempt);
}

}  // namespace vigil::sessions

// What the VMs on the event bus mean for sessions.
#include "host/sessions/sessions.hpp"

#include "host/machine/derive.hpp"
#include "host/verdict/verdict.hpp"
#include "shared/base/encoding.hpp"
#include "shared/signin/provider.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace vigil::sessions {

namespace asio = boost::asio;
using protocol::CauseCode;
using protocol::RunState;

namespace {

constexpr std::size_t vm_page = 256, max_shown_name = 80;
constexpr int max_tries_a_run = 5;
constexpr std::uint64_t max_recorded_refusals = 32;   // of one session; further ones are counted

std::string shown(const std::string& guest_text) { return escape_for_terminal(guest_text.substr(0, max_shown_name), Lines::escape); }

bool is_up(RunState state) { return state == RunState::ready || state == RunState::degraded; }
bool is_down(RunState state) { return state == RunState::crashed || state == RunState::failed || state == RunState::stopped; }

protocol::Cause lost_because(const std::optional<protocol::Cause>& cause, RunState state) {
  std::vector<std::string> evidence = {"its VM is " + std::string(to_text(state))};
  if (cause) evidence.push_back(cause->text + ": " + protocol::sentence(*cause));
  return protocol::make_cause(CauseCode::signin_vm_lost, {}, std::move(evidence));
}

/// Why a report is not this session's to make; empty: it is.
std::string why_refused(const Session& session, const protocol::SigninReport& report) {
  const auto& row = signin::provider_row(session.order.provider);
  if (report.provider != to_text(session.order.provider))
    return "its VM reports of the provider " + shown(report.provider);
  if (!report.private_url.empty() && !signin::is_sign_in_url(row, report.private_url))
    return "its VM names an address that is not " + std::string(row.title) + "'s sign-in page";
  if (!report.credential) return "";
  if (report.credential->schema != row.schema)
    return "its VM has a credential of the shape " + shown(report.credential->schema);
  if (report.credential->bytes > row.max_credential_bytes)
    return "its VM has a credential of " + std::to_string(report.credential->bytes) + " bytes";
  return "";
}

}  // namespace

void Sessions::follow_vms() {
  auto after = bus_.last();
  for (const auto& [id, entry] : entries_)
    if (!is_terminal(entry->session.state) && entry->session.vm) after = std::min(after, entry->session.vm_seq);
  // The bus may call while it publishes: what is to be done is done in a turn of its own.
  auto wake = [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    asio::post(io_, [this, alive] {
      if (!alive.expired()) take_vm_events();
    });
  };
  vm_events_ = bus_.subscribe(after, std::nullopt, wake);
  take_vm_events();
}

void Sessions::take_vm_events() {
  while (vm_events_) {
    const auto take = vm_events_->next(vm_page);
    for (const auto& event : take.events) take_vm_event(event);
    if (take.end != events::Take::End::more_may_come) return follow_vms();   // from the marks of the sessions on
    if (take.events.empty()) return;
  }
}

void Sessions::take_vm_event(const events::Published& event) {
  const bool matters = event->type == "signin" || event->type == "state" || event->type == "removed";
  if (!matters) return;
  const auto decoded = machine::decode_event(*event);
  if (!decoded) return;
  if (const auto* const state = std::get_if<machine::StateChanged>(&decoded->body))
    return take_vm_state(event->instance, *state, event->seq);
  const auto* const reported = std::get_if<machine::Reported>(&decoded->body);
  const auto* const report = reported == nullptr ? nullptr : std::get_if<Report>(&reported->report.body);
  if (report != nullptr && !reported->partial) return take_report(event->instance, *report, event->seq);
  if (!std::holds_alternative<machine::Removed>(decoded->body)) return;
  wake_waiting(event->instance);
  starts_.erase(event->instance);
  for (auto* const entry : live_in(event->instance))
    if (event->seq > entry->session.vm_seq) (void)record(*entry, VmLost{lost_because(std::nullopt, RunState::stopped), event->seq});
}

std::vector<Sessions::Entry*> Sessions::live_in(const InstanceId& vm) const {
  std::vector<Entry*> live;
  for (const auto& [id, entry] : entries_)
    if (entry->session.vm == vm && !is_terminal(entry->session.state)) live.push_back(entry.get());
  return live;
}

void Sessions::take_report(const InstanceId& vm, const Report& report, std::uint64_t seq) {
  const auto live = live_in(vm);
  const auto& name = report.session.value();
  const auto is_named = [&](const Entry* entry) { return name == entry->session.id || name.starts_with(entry->session.id + "-"); };
  const auto named = std::ranges::find_if(live, is_named);
  if (named == live.end()) {
    const auto why = "its VM " + vm.value() + " speaks for the session " + shown(name);
    for (auto* const entry : live)
      if (seq > entry->session.vm_seq) refuse(*entry, why, seq);
    return;
  }
  auto& entry = **named;
  if (seq <= entry.session.vm_seq || name != guest_name(entry.session)) return;   // known already, or of an earlier attempt
  if (auto why = why_refused(entry.session, report); !why.empty()) return refuse(entry, std::move(why), seq);
  Stepped step{entry.session.attempt, report.step,       report.detail, report.private_url,
               report.cli_version,    report.credential, report.cause,  seq};
  if (const auto recorded = record(entry, std::move(step)); !recorded)
    spdlog::error("session.not_recorded session={} err=\"{}\"", entry.session.id, recorded.error().message());
}

void Sessions::take_vm_state(const InstanceId& vm, const machine::StateChanged& state, std::uint64_t seq) {
  for (auto* const entry : live_in(vm)) {
    auto& session = entry->session;
    if (seq <= session.vm_seq) continue;
    const bool begins_anew = state.state == RunState::booting && session.state > State::vm_starting;
    if (is_down(state.state) || begins_anew)
      (void)record(*entry, VmLost{lost_because(state.cause, state.state), seq});
    else if (is_up(state.state) && session.state == State::vm_starting)
      (void)record(*entry, VmReady{});
  }
  wake_waiting(vm);
  const auto* const now = vms_.state_of(vm);   // the event may be an old one
  if (!is_up(state.state) || now == nullptr || !is_up(machine::derive(*now))) return;
  deliver_at_start(vm, now->run->number);
}

/// Once a run: one that is up and down and up again has them already. What went wrong is tried again then, but not for ever.
void Sessions::deliver_at_start(const InstanceId& vm, RunNumber run) {
  const bool is_cli_vm = std::ranges::any_of(cli_vms_, [&](const auto& each) { return each.second.vm == vm; });
  if (!is_cli_vm) return;
  auto& start = starts_[vm];
  if (start.run != run) start = Start{run};
  if (start.is_done || start.tries >= max_tries_a_run) return;
  ++start.tries;
  for (const auto& [key, cli_vm] : cli_vms_) {
    if (cli_vm.vm != vm) continue;
    tasks_.spawn("session.deliver_all", [this, to = cli_vm, of = key] { return deliver_all(to, of); });
  }
}

/// A VM that says what is not its to say may say it thousands of times: neither disk nor log has all of it.
void Sessions::refuse(Entry& entry, std::string why, std::uint64_t seq) {
  Refused refused{std::move(why), seq};
  if (entry.session.refusals >= max_recorded_refusals) return apply_unrecorded(entry, std::move(refused));
  spdlog::warn("session.report_refused session={} reason=\"{}\"", entry.session.id, refused.reason);
  (void)record(entry, std::move(refused));
}

void Sessions::wake_waiting(const InstanceId& vm) {
  const auto [first, last] = waiting_.equal_range(vm);
  for (auto each = first; each != last; ++each) each->second->notify();
  waiting_.erase(first, last);
}

/// What it is already: its events are of before.
void Sessions::look_at_vm(Entry& entry) {
  const auto id = entry.session.id;
  asio::post(io_, [this, id, alive = std::weak_ptr<int>(alive_)] {
    auto* const looked = alive.expired() ? nullptr : entry_of(id);
    if (looked == nullptr || looked->session.state != State::vm_starting || !looked->session.vm) return;
    const auto* const vm = vms_.state_of(*looked->session.vm);
    const auto state = vm == nullptr ? RunState::stopped : machine::derive(*vm);
    if (is_up(state)) return void(record(*looked, VmReady{}));
    if (!is_down(state)) return;
    auto cause = lost_because(std::nullopt, state);
    if (const auto told = vm == nullptr ? std::nullopt : verdict::announcement(*vm); told && told->cause)
      cause = lost_because(told->cause, state);
    (void)record(*looked, VmLost{std::move(cause), looked->session.vm_seq});
  });
}

}  // namespace vigil::sessions

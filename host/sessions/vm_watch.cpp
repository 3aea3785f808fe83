// What the VMs on the event bus mean for sessions.
#include "host/sessions/sessions.hpp"

#include "host/machine/derive.hpp"
#include "host/verdict/verdict.hpp"
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
    return "its VM reports of the provider " + report.provider.substr(0, max_shown_name);
  if (!report.private_url.empty() && !signin::is_sign_in_url(row, report.private_url))
    return "its VM names an address that is not " + std::string(row.title) + "'s sign-in page";
  if (!report.credential) return "";
  if (report.credential->schema != row.schema)
    return "its VM has a credential of the shape " + report.credential->schema.substr(0, max_shown_name);
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
    const auto why = "its VM " + vm.value() + " speaks for the session " + name.substr(0, max_shown_name);
    spdlog::warn("session.claim_refused vm={} claimed={}", vm.value(), name.substr(0, max_shown_name));
    for (auto* const entry : live)
      if (seq > entry->session.vm_seq) (void)record(*entry, Refused{why, seq});
    return;
  }
  auto& entry = **named;
  if (seq <= entry.session.vm_seq || name != guest_name(entry.session)) return;   // known already, or of an earlier attempt
  if (const auto why = why_refused(entry.session, report); !why.empty()) {
    spdlog::warn("session.report_refused session={} vm={} reason=\"{}\"", entry.session.id, vm.value(), why);
    return void(record(entry, Refused{why, seq}));
  }
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
  for (const auto& [key, cli_vm] : cli_vms_) {
    if (cli_vm.vm != vm) continue;
    tasks_.spawn("session.deliver_all", [this, to = cli_vm, of = key] { return deliver_all(to, of); });
  }
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

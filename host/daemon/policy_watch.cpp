#include "host/daemon/policy_watch.hpp"

#include "host/daemon/policy_facts.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {

constexpr UnixUs retry_us = 10'000'000;   // what could not be recorded

bool is_looked_at(const machine::EventBody& body) {
  using namespace machine;
  return std::holds_alternative<Created>(body) || std::holds_alternative<StartRequested>(body) ||
         std::holds_alternative<StartFailed>(body) || std::holds_alternative<VmmExited>(body) || std::holds_alternative<ShimLost>(body) ||
         std::holds_alternative<HoldSet>(body) || std::holds_alternative<LeaseSet>(body) || std::holds_alternative<PolicyPaused>(body) ||
         std::holds_alternative<Removed>(body);
}

}  // namespace

PolicyWatch::PolicyWatch(RunHost& host, VmRegistry& registry)
    : host_(host), registry_(registry), timer_(host.io.get_executor(), [this] { look_at_due(); }) {}

void PolicyWatch::start() {
  started_ = true;
  registry_.on_use_changed([this](const InstanceId& id) { changed(id); });
  for (const auto& id : registry_.ids()) changed(id);
}

void PolicyWatch::stop() {
  started_ = false;
  registry_.on_use_changed({});
  timer_.set(std::nullopt);
}

void PolicyWatch::happened(const machine::VmEvent& event) {
  if (is_looked_at(event.body)) changed(event.instance);
}

/// Later, once for all that come in one turn: what is told by a look is itself an event.
void PolicyWatch::changed(const InstanceId& id) {
  if (!started_) return;
  changed_.insert(id);
  if (std::exchange(posted_, true)) return;
  asio::post(host_.io, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) look_at_changed();
  });
}

void PolicyWatch::look_at_changed() {
  posted_ = false;
  for (const auto& id : std::exchange(changed_, {})) look_at(id);
  arm();
}

void PolicyWatch::look_at_due() {
  const auto now = host_.clock.unix_us();
  while (started_ && !by_date_.empty() && by_date_.begin()->first <= now) {
    const auto id = by_date_.begin()->second;
    plan(id, std::nullopt);
    look_at(id);
  }
  arm();
}

void PolicyWatch::look_at(const InstanceId& id) {
  if (started_) plan(id, look_and_act(id));
}

void PolicyWatch::plan(const InstanceId& id, std::optional<UnixUs> next) {
  if (const auto known = next_.find(id); known != next_.end()) {
    by_date_.erase({known->second, id});
    next_.erase(known);
  }
  if (!next) return;
  next_[id] = *next;
  by_date_.emplace(*next, id);
}

void PolicyWatch::arm() { timer_.set(by_date_.empty() || !started_ ? std::nullopt : std::optional(by_date_.begin()->first)); }

/// When to look again, if nothing changes before.
std::optional<UnixUs> PolicyWatch::look_and_act(const InstanceId& id) {
  const auto look = registry_.policy(id, std::chrono::seconds(0));
  if (!look) return std::nullopt;
  for (const auto& decision : look->decisions) {
    const auto* const vm = registry_.actor_of(id);
    if (vm == nullptr) return std::nullopt;
    const auto& told = vm->known().decided;
    const auto before = told.find(std::string(to_text(decision.rule)));
    if (!is_news(before == told.end() ? nullptr : &before->second, decision)) continue;
    const auto recorded = registry_.tell_decision(id, event_of(decision));
    if (!recorded) {
      spdlog::warn("policy.not_recorded vm={} err=\"{}\"", id.value(), recorded.error().message());   // nothing is done that is not told
      return look->facts.now + retry_us;
    }
    spdlog::info("policy.decided vm={} rule={} verdict={} why=\"{}\"", id.value(), to_text(decision.rule), to_text(decision.verdict),
                 decision.why);
    if (decision.verdict == policy::Verdict::acts) carry_out(id, decision);
  }
  return policy::next_look(look->facts, look->decisions);
}

void PolicyWatch::carry_out(const InstanceId& id, const policy::Decision& decision) {
  const auto actor = policy_actor_of(decision.rule);
  if (decision.action == policy::Action::stop) {
    const auto asked = registry_.stop(id, machine::StopKind::stop, std::nullopt, actor);
    if (!asked) spdlog::error("policy.stop_failed vm={} err=\"{}\"", id.value(), asked.error().message());
    return;
  }
  registry_.remove(id, api::Removal::only_when_stopped, actor, [id](Result<void> removed) {
    if (!removed) spdlog::error("policy.removal_failed vm={} err=\"{}\"", id.value(), removed.error().message());
  });
}

}  // namespace vigil::daemon

#include "host/daemon/policy_watch.hpp"

#include "host/daemon/policy_facts.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace vigil::daemon {

namespace asio = boost::asio;

PolicyWatch::PolicyWatch(RunHost& host, VmRegistry& registry, std::chrono::seconds every)
    : host_(host), registry_(registry), every_(every), tasks_(host.io.get_executor()) {}

void PolicyWatch::start() {
  tasks_.spawn("policy", [this] { return go_on_looking(); });
}

asio::awaitable<void> PolicyWatch::stop() { co_await tasks_.stop(); }

asio::awaitable<void> PolicyWatch::go_on_looking() {
  asio::steady_timer timer(host_.io);
  for (;;) {
    timer.expires_after(every_);
    co_await timer.async_wait(asio::use_awaitable);
    for (const auto& id : registry_.ids()) look_at(id);
  }
}

void PolicyWatch::look_at(const InstanceId& id) {
  const auto look = registry_.policy(id, std::chrono::seconds(0));
  if (!look) return;
  for (const auto& decision : look->decisions) {
    const auto* const vm = registry_.actor_of(id);
    if (vm == nullptr) return;
    const auto& told = vm->known().decided;
    const auto before = told.find(std::string(to_text(decision.rule)));
    if (!is_news(before == told.end() ? nullptr : &before->second, decision)) continue;
    const auto recorded = registry_.tell_decision(id, event_of(decision));
    if (!recorded)
      return spdlog::warn("policy.not_recorded vm={} err=\"{}\"", id.value(),
                          recorded.error().message());   // nothing is done that is not told
    spdlog::info("policy.decided vm={} rule={} verdict={} why=\"{}\"", id.value(), to_text(decision.rule), to_text(decision.verdict),
                 decision.why);
    if (decision.verdict == policy::Verdict::acts) carry_out(id, decision);
  }
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

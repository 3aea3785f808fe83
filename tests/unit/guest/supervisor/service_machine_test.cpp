#include "guest/supervisor/service_machine.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::supervisor {
namespace {

using protocol::ServiceState;
using Event = ServiceEvent;

constexpr ServiceState all_states[] = {ServiceState::waiting, ServiceState::starting, ServiceState::ready, ServiceState::unready,
                                       ServiceState::stopping, ServiceState::stopped, ServiceState::backoff, ServiceState::failed};
constexpr Event all_events[] = {Event::may_start, Event::dependency_failed, Event::became_ready, Event::deadline_passed, Event::became_unhealthy,
                                Event::became_healthy, Event::ended_for_restart, Event::ended_for_restart_now, Event::ended_for_good,
                                Event::ended_finished, Event::backoff_over, Event::start_asked, Event::stop_asked, Event::stop_asked_idle};
constexpr Event ends[] = {Event::ended_for_restart, Event::ended_for_restart_now, Event::ended_for_good, Event::ended_finished};

ServiceState walk(ServiceState state, std::initializer_list<Event> events) {
  for (const Event event : events)
    if (const auto transition = next_transition(state, event)) state = transition->next;
  return state;
}

TEST_CASE("service machine: the way of a healthy service", "[guest][supervisor]") {
  CHECK(walk(ServiceState::waiting, {Event::may_start}) == ServiceState::starting);
  CHECK(walk(ServiceState::waiting, {Event::may_start, Event::became_ready}) == ServiceState::ready);
  CHECK(walk(ServiceState::waiting, {Event::may_start, Event::became_ready, Event::stop_asked}) == ServiceState::stopping);
  CHECK(walk(ServiceState::waiting, {Event::may_start, Event::became_ready, Event::stop_asked, Event::ended_for_good}) == ServiceState::stopped);
  CHECK(walk(ServiceState::stopped, {Event::start_asked, Event::may_start, Event::became_ready}) == ServiceState::ready);
}

TEST_CASE("service machine: only the two launching events launch", "[guest][supervisor]") {
  for (const ServiceState state : all_states)
    for (const Event event : all_events) {
      const auto transition = next_transition(state, event);
      if (!transition || transition->action != MachineAction::launch) continue;
      CHECK(transition->next == ServiceState::starting);
      CHECK((event == Event::may_start || event == Event::backoff_over || event == Event::ended_for_restart_now));
    }
}

TEST_CASE("service machine: every state with a process knows what a death means, and no death leads to a running state but by a launch", "[guest][supervisor]") {
  for (const ServiceState state : {ServiceState::starting, ServiceState::ready, ServiceState::unready, ServiceState::stopping})
    for (const Event end : ends) {
      const auto transition = next_transition(state, end);
      REQUIRE(transition);
      CHECK(transition->next != ServiceState::ready);
      CHECK(transition->next != ServiceState::unready);
      if (transition->next == ServiceState::starting) CHECK(transition->action == MachineAction::launch);
    }
}

TEST_CASE("service machine: a stop can be asked for in every state but where it is done or under way", "[guest][supervisor]") {
  for (const ServiceState state : all_states) {
    const bool at_rest = state == ServiceState::stopped || state == ServiceState::stopping;
    const bool can = next_transition(state, Event::stop_asked) || next_transition(state, Event::stop_asked_idle);
    CHECK(can == !at_rest);
  }
}

TEST_CASE("service machine: a stop while backing off cancels the restart", "[guest][supervisor]") {
  CHECK(walk(ServiceState::starting, {Event::ended_for_restart, Event::stop_asked_idle, Event::backoff_over}) == ServiceState::stopped);
}

TEST_CASE("service machine: late is better than never", "[guest][supervisor]") {
  CHECK(walk(ServiceState::starting, {Event::deadline_passed}) == ServiceState::failed);
  CHECK(walk(ServiceState::starting, {Event::deadline_passed, Event::became_ready}) == ServiceState::ready);
  CHECK(walk(ServiceState::starting, {Event::deadline_passed, Event::ended_for_restart_now}) == ServiceState::failed);
}

TEST_CASE("service machine: health moves only between ready and unready", "[guest][supervisor]") {
  CHECK(walk(ServiceState::ready, {Event::became_unhealthy}) == ServiceState::unready);
  CHECK(walk(ServiceState::unready, {Event::became_healthy}) == ServiceState::ready);
  for (const ServiceState state : {ServiceState::waiting, ServiceState::starting, ServiceState::stopping, ServiceState::stopped, ServiceState::failed})
    CHECK_FALSE(next_transition(state, Event::became_unhealthy));
}

TEST_CASE("service machine: what a state has no row for changes nothing", "[guest][supervisor]") {
  CHECK_FALSE(next_transition(ServiceState::ready, Event::may_start));
  CHECK_FALSE(next_transition(ServiceState::ready, Event::deadline_passed));
  CHECK_FALSE(next_transition(ServiceState::stopped, Event::became_ready));
  CHECK_FALSE(next_transition(ServiceState::stopping, Event::became_ready));
  CHECK_FALSE(next_transition(ServiceState::waiting, Event::backoff_over));
}

}  // namespace
}  // namespace vigil::guest::supervisor

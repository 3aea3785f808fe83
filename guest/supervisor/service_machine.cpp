#include "guest/supervisor/service_machine.hpp"

namespace vigil::guest::supervisor {
namespace {

using Event = ServiceEvent;
using Action = MachineAction;
using protocol::ServiceState;

struct Row {
  ServiceState state;
  Event event;
  ServiceState next;
  Action action;
};

constexpr Row table[] = {
    {ServiceState::waiting, Event::may_start, ServiceState::starting, Action::launch},
    {ServiceState::waiting, Event::dependency_failed, ServiceState::failed, Action::none},
    {ServiceState::waiting, Event::stop_asked_idle, ServiceState::stopped, Action::none},

    {ServiceState::starting, Event::became_ready, ServiceState::ready, Action::none},
    {ServiceState::starting, Event::deadline_passed, ServiceState::failed, Action::none},
    {ServiceState::starting, Event::ended_for_restart, ServiceState::backoff, Action::arm_backoff},
    {ServiceState::starting, Event::ended_for_restart_now, ServiceState::starting, Action::launch},
    {ServiceState::starting, Event::ended_for_good, ServiceState::failed, Action::none},
    {ServiceState::starting, Event::ended_finished, ServiceState::stopped, Action::none},
    {ServiceState::starting, Event::stop_asked, ServiceState::stopping, Action::stop_process},
    {ServiceState::starting, Event::stop_asked_idle, ServiceState::stopped, Action::none},   // what the last run left is not gone yet

    {ServiceState::ready, Event::became_unhealthy, ServiceState::unready, Action::none},
    {ServiceState::ready, Event::ended_for_restart, ServiceState::backoff, Action::arm_backoff},
    {ServiceState::ready, Event::ended_for_restart_now, ServiceState::starting, Action::launch},
    {ServiceState::ready, Event::ended_for_good, ServiceState::failed, Action::none},
    {ServiceState::ready, Event::ended_finished, ServiceState::stopped, Action::none},
    {ServiceState::ready, Event::stop_asked, ServiceState::stopping, Action::stop_process},

    {ServiceState::unready, Event::became_healthy, ServiceState::ready, Action::none},
    {ServiceState::unready, Event::ended_for_restart, ServiceState::backoff, Action::arm_backoff},
    {ServiceState::unready, Event::ended_for_restart_now, ServiceState::starting, Action::launch},
    {ServiceState::unready, Event::ended_for_good, ServiceState::failed, Action::none},
    {ServiceState::unready, Event::ended_finished, ServiceState::stopped, Action::none},
    {ServiceState::unready, Event::stop_asked, ServiceState::stopping, Action::stop_process},

    // Every end while it stops is the end that was asked for.
    {ServiceState::stopping, Event::ended_for_restart, ServiceState::stopped, Action::none},
    {ServiceState::stopping, Event::ended_for_restart_now, ServiceState::stopped, Action::none},
    {ServiceState::stopping, Event::ended_for_good, ServiceState::stopped, Action::none},
    {ServiceState::stopping, Event::ended_finished, ServiceState::stopped, Action::none},

    {ServiceState::stopped, Event::start_asked, ServiceState::waiting, Action::none},

    {ServiceState::backoff, Event::backoff_over, ServiceState::starting, Action::launch},
    {ServiceState::backoff, Event::start_asked, ServiceState::waiting, Action::none},
    {ServiceState::backoff, Event::stop_asked_idle, ServiceState::stopped, Action::none},

    // Failed for its deadline, a service still has its process: late is better than never, and a death then changes nothing.
    {ServiceState::failed, Event::became_ready, ServiceState::ready, Action::none},
    {ServiceState::failed, Event::start_asked, ServiceState::waiting, Action::none},
    {ServiceState::failed, Event::stop_asked, ServiceState::stopping, Action::stop_process},
    {ServiceState::failed, Event::stop_asked_idle, ServiceState::stopped, Action::none},
};

}  // namespace

std::optional<ServiceTransition> next_transition(ServiceState state, ServiceEvent event) {
  for (const Row& row : table)
    if (row.state == state && row.event == event) return ServiceTransition{row.next, row.action};
  return std::nullopt;
}

}  // namespace vigil::guest::supervisor

// Looks at start, and then every while, for what has no owner, and carries out what host/reconcile says: ends, archives, removes; each with its reason in the log and as an event.
//
// Shape:  one look after the other, a short one soon after processes were asked to end. look() runs on the pool, the plan is made of rows that are newer than it.
// Errors: what could not be done is logged, and tried again at the next look.
// Thread: the event thread.
#pragma once

#include "host/async/task_group.hpp"
#include "host/daemon/vm_registry.hpp"
#include "host/events/event_bus.hpp"
#include "host/reconcile/plan.hpp"

#include <chrono>
#include <map>
#include <set>

namespace vigil::daemon {

class Reconciler {
  public:
    Reconciler(RunHost& host, VmRegistry& registry, store::Store& store, events::EventBus& bus, std::chrono::seconds every);
    void start();
    boost::asio::awaitable<void> stop();

  private:
    boost::asio::awaitable<void> go_on_looking();
    boost::asio::awaitable<void> look_once();
    boost::asio::awaitable<void> carry_out(reconcile::Action action);
    boost::asio::awaitable<Result<std::string>> archive_stray(InstanceId id, std::string reason);
    void signal(const reconcile::Action& action);
    Result<std::string> do_at_once(const reconcile::Action& action);
    void tell(const reconcile::Action& action, machine::Reconciled what);
    void tell_spared(const reconcile::Plan& plan);

    RunHost& host_;
    VmRegistry& registry_;
    store::Store& store_;
    events::EventBus& bus_;
    std::chrono::seconds every_;
    std::map<std::int64_t, std::uint64_t> told_;   // pid and start time of those that were asked to end
    bool some_end_ = false;
    std::set<std::string> spared_;                 // said once
    async::TaskGroup tasks_;
};

}  // namespace vigil::daemon

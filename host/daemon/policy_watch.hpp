// Looks at every VM that has a policy, every few seconds: gathers the facts, has host/policy decide, tells what has changed as an event, and carries out.
//
// Thread: the event thread. stop() before it is destroyed.
#pragma once

#include "host/async/task_group.hpp"
#include "host/daemon/vm_registry.hpp"

#include <chrono>

namespace vigil::daemon {

class PolicyWatch {
public:
  PolicyWatch(RunHost& host, VmRegistry& registry, std::chrono::seconds every);
  void start();
  boost::asio::awaitable<void> stop();

private:
  boost::asio::awaitable<void> go_on_looking();
  void look_at(const InstanceId& id);
  void carry_out(const InstanceId& id, const policy::Decision& decision);

  RunHost& host_;
  VmRegistry& registry_;
  std::chrono::seconds every_;
  async::TaskGroup tasks_;
};

}  // namespace vigil::daemon

// Looks at a VM when one of its policies may have something new to say: at the next date that they name, and when what they look at has changed. Gathers the facts,
// has host/policy decide, tells what has changed as an event, and carries out.
//
// Thread: the event thread. stop() before it is destroyed.
#pragma once

#include "host/async/wall_timer.hpp"
#include "host/daemon/vm_registry.hpp"

#include <map>
#include <memory>
#include <set>
#include <utility>

namespace vigil::daemon {

class PolicyWatch {
public:
  PolicyWatch(RunHost& host, VmRegistry& registry);
  /// Looks at all, and from then on when there is reason to.
  void start();
  void stop();
  /// Any event that was stored; those that no policy looks at are passed over.
  void happened(const machine::VmEvent& event);
  /// Its facts may be others: it is looked at soon.
  void changed(const InstanceId& id);

private:
  void look_at_changed();
  void look_at_due();
  void look_at(const InstanceId& id);
  std::optional<UnixUs> look_and_act(const InstanceId& id);
  void plan(const InstanceId& id, std::optional<UnixUs> next);
  void arm();
  void carry_out(const InstanceId& id, const policy::Decision& decision);

  RunHost& host_;
  VmRegistry& registry_;
  bool started_ = false, posted_ = false;
  std::set<InstanceId> changed_;
  std::map<InstanceId, UnixUs> next_;  // when to look at it
  std::set<std::pair<UnixUs, InstanceId>> by_date_;  // the same
  async::WallTimer timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace vigil::daemon

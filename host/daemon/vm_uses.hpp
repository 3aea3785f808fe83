// Who uses which VM at the moment, and when each was used last.
//
// Shape:  a use lasts as long as its token. A program that goes on after its stream (exec -d) is no use: nobody waits for it. What was before this daemon is not known: then the
//         last use is its own start, so that nothing is called idle for a restart.
// Thread: the event thread.
#pragma once

#include "host/policy/policy.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::daemon {

/// What a stream of this opening (shared/streams) is a use of: exec with its program, or a stream.
policy::Holder use_of(std::string_view opening);
/// A program of somebody runs, or somebody has a port open: the screen, too. Not files that come and go, nor what the daemon asks for itself.
bool is_work(const policy::Holder& use);

class VmUses {
public:
  explicit VmUses(const Clock& clock) : clock_(clock), since_(clock.unix_us()), table_(std::make_shared<Table>()) {}
  std::shared_ptr<const void> begin(const InstanceId& id, policy::HolderKind kind, std::string name);
  /// Somebody has commanded it.
  void touch(const InstanceId& id);
  std::vector<policy::Holder> holders(const InstanceId& id) const;
  UnixUs last_used(const InstanceId& id) const;
  void forget(const InstanceId& id) { table_->uses.erase(id); }
  /// Told when a use has begun or ended; empty: nobody is.
  void on_change(std::function<void(const InstanceId&)> changed) { table_->changed = std::move(changed); }

private:
  struct Uses {
    std::map<std::uint64_t, policy::Holder> now;
    UnixUs last = 0;
  };
  struct Table {
    std::map<InstanceId, Uses> uses;
    std::function<void(const InstanceId&)> changed;
  };

  const Clock& clock_;
  UnixUs since_;
  std::uint64_t next_ = 0;
  std::shared_ptr<Table> table_;  // a token may outlive us: it holds a weak pointer
};

}  // namespace vigil::daemon

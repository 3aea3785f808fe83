// What sessions need of the VMs; implemented by the daemon.
//
// Thread: the event thread.
#pragma once

#include "host/machine/vm_state.hpp"
#include "host/streams/guest_stream.hpp"
#include "shared/base/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace vigil::sessions {

class Vms {
public:
  virtual ~Vms() = default;
  /// Makes and starts the browser VM of a session, of this create body; the one that it has made already when there is one.
  virtual Result<InstanceId> make(const std::string& spec_json, const std::string& owner, const std::string& session) = 0;
  /// Makes and starts the CLI VM of a user, of this create body; the one that was made for him before when there is one. A session's end never removes it.
  virtual Result<InstanceId> make_cli(const std::string& spec_json, const std::string& owner, const std::string& user, const std::string& session) = 0;
  /// Kills and removes it. An error of a VM that is gone already is no error.
  virtual void remove(const InstanceId& id, const std::string& rule, std::function<void(Result<void>)> done) = 0;
  /// The session needs it as long as the token lives: no policy stops it.
  virtual std::shared_ptr<const void> use(const InstanceId& id, const std::string& session) = 0;
  /// Somebody looks at its screen, or works in it.
  virtual bool is_in_use(const InstanceId& id) const = 0;
  /// nullptr: it was removed.
  virtual const machine::VmState* state_of(const InstanceId& id) const = 0;
  virtual void open_stream(const InstanceId& id, std::string opening, std::function<void(Result<streams::GuestStream>)> done) = 0;
};

}  // namespace vigil::sessions

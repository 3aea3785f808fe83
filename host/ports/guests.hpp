// What the proxy needs of the VMs; implemented by the daemon.
//
// Thread: the event thread. `state` is what is known when the event that told it has been published.
#pragma once

#include "host/machine/vm_state.hpp"
#include "host/streams/guest_stream.hpp"
#include "shared/base/result.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::ports {

class Guests {
  public:
    virtual ~Guests() = default;
    /// Errc::not_found, also for a removed one, and for one that is not the caller's. `uid`: the user at the other end of a Unix socket; nullopt: nobody knows who.
    virtual Result<InstanceId> find_vm(std::string_view id_or_name, std::optional<uid_t> uid) const = 0;
    /// nullptr: it was removed.
    virtual const machine::VmState* state_of(const InstanceId& id) const = 0;
    /// `first`: bytes for the service that go along with the opening, so that it has them a round trip earlier; lost when the port is refused.
    virtual void open_port(const InstanceId& id, std::uint16_t port, std::string first, std::function<void(Result<streams::GuestStream>)> done) = 0;
};

}  // namespace vigil::ports

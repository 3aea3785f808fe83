// Sockets that the service manager has opened for the daemon: which of its doors each is.
//
// Errors: those of take_passed_sockets; Errc::invalid for a name that is none of our doors, Errc::conflict for a door that is passed twice.
#pragma once

#include "host/daemon/places.hpp"
#include "shared/base/unique_fd.hpp"

namespace vigil::daemon {

struct Doors {
  UniqueFd api, ports;  // empty: the daemon makes it
};

/// FileDescriptorName= of the socket unit says which: api, ports. What is passed is where that door is: `places` then say so too.
Result<Doors> take_doors(Places& places, int first = 3);

}  // namespace vigil::daemon

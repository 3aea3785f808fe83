// How the agent reaches the host: one implementation for VMs (vsock), one for everything else (a Unix socket).
//
// Shape:  dial() begins a non-blocking connect; the descriptor becomes writable when it is through, and SO_ERROR says how it went.
// Errors: unavailable: nobody listens, or the driver is not there yet: try again later. denied: this dialler may never dial here.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

namespace vigil::guest::link {

class Dialler {
public:
  virtual ~Dialler() = default;
  virtual Result<UniqueFd> dial() = 0;
};

}  // namespace vigil::guest::link

// Dials the host over vsock, and only from inside a VM of Vigil: the one file of the agent that knows AF_VSOCK.
//
// Why:    a machine that is itself a VM has a host too, and that host is none of our business. Both must hold: this process is PID 1, and the kernel command
//         line holds vigil.vm=ID. They are read here, from the kernel, at each dial: no caller can be wrong about them.
// Errors: denied: not PID 1 of a VM of ours. unavailable: no driver, no listener, or no answer yet.
#pragma once

#include "guest/link/dialler.hpp"

namespace vigil::guest::link {

class VsockDialler final : public Dialler {
public:
  Result<UniqueFd> dial() override;
};

}  // namespace vigil::guest::link

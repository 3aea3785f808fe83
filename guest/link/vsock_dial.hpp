// Dials the host over vsock, and only from inside a VM of Vigil (own_vm.hpp).
//
// Errors: denied: not the agent of a VM of ours. unavailable: no driver, no listener, or no answer yet.
#pragma once

#include "guest/link/dialler.hpp"

namespace vigil::guest::link {

class VsockDialler final : public Dialler {
public:
  Result<UniqueFd> dial() override;
};

}  // namespace vigil::guest::link

// Dials the host over vsock, and only from inside a VM of Vigil (own_vm.hpp).
//
// Errors: denied: not the agent of a VM of ours. unavailable: no driver, no listener, or no answer yet.
#pragma once

#include "guest/link/dialler.hpp"
#include "shared/protocol/control.hpp"

#include <cstdint>

namespace vigil::guest::link {

class VsockDialler final : public Dialler {
public:
  VsockDialler() : VsockDialler(protocol::link_port) {}
  explicit VsockDialler(std::uint32_t port) : port_(port) {}
  Result<UniqueFd> dial() override;

private:
  std::uint32_t port_;
};

}  // namespace vigil::guest::link

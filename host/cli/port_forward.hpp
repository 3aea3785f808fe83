// One port of a VM on the loopback address: each connection becomes a stream of its own.
//
// Errors: listen(): Errc::conflict when the local port is taken. A connection that the VM refuses is closed and the reason printed to stderr.
// Thread: a thread a connection, ended with the process; they share nothing.
#pragma once

#include "host/cli/daemon_address.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace vigil::cli {

class PortForward {
public:
  /// `local` 0: any free port.
  static Result<std::unique_ptr<PortForward>> listen(DaemonAddress daemon, std::string vm, std::uint16_t guest, std::uint16_t local);

  void accept_one();
  int listener() const { return listener_.get(); }
  std::uint16_t guest_port() const { return guest_; }
  std::uint16_t local_port() const { return local_; }

private:
  DaemonAddress daemon_;
  std::string vm_;
  std::uint16_t guest_ = 0, local_ = 0;
  UniqueFd listener_;
};

}  // namespace vigil::cli

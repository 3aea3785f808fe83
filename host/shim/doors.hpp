// The sockets that a run's guest dials, kept by the shim: whoever connects is handed to the daemon, with the port that was dialled.
//
// Shape:  a door's path is the VM's identity, as it is where the daemon listens itself. Accepted at once: a VMM's connect blocks its event thread. Who dials while no
//         daemon is there is kept waiting, never hung up.
// Errors: open(): those of listen_unix and chown, with the path.
#pragma once

#include "host/shim/shim_spec.hpp"
#include "shared/base/unique_fd.hpp"

#include <sys/types.h>

#include <vector>

namespace vigil::shim {

class Doors {
public:
  /// With the rights that the run's VMM and device need to dial.
  static Result<Doors> open(const ShimSpec& spec);

  /// A daemon of an older version that came meanwhile has listened itself, and taken the names with it when it went.
  Result<void> reopen_taken(const ShimSpec& spec);

  std::vector<int> listeners() const;
  /// Who waits at that listener; empty: nobody.
  static UniqueFd accept(int listener);
  std::uint32_t port_of(int listener) const;

private:
  struct Open {
    UniqueFd listener;
    std::uint32_t port = 0;
    ino_t inode = 0;           // of the name
  };
  static Result<Open> open_one(const ShimSpec& spec, const Door& door);

  std::vector<Open> open_;
};

}  // namespace vigil::shim

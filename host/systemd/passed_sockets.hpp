// Listening sockets that the service manager opened and passes on (socket activation).
//
// Shape:  descriptors `first`, `first` + 1, ... as LISTEN_FDS counts them, close-on-exec and non-blocking from here on; `name` is FileDescriptorName= of
//         the socket unit, `path` what it is bound to.
// Errors: Errc::invalid for what is no listening Unix stream socket with a path, with its number and name.
// Source: sd_listen_fds(3).
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <string>
#include <vector>

namespace vigil::systemd {

struct PassedSocket {
  std::string name, path;
  UniqueFd socket;
};

/// Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment. Empty: nothing was passed, or it was meant for another process.
Result<std::vector<PassedSocket>> take_passed_sockets(int first = 3);

}  // namespace vigil::systemd

// Tells whoever started the daemon that it serves, where that is no service manager.
#pragma once

#include <optional>

namespace vigil::daemon {

/// "ready\n" to the descriptor of --ready-fd, which is then closed.
void announce_ready(std::optional<int> ready_fd);

}  // namespace vigil::daemon

// Tells whoever started the daemon that it serves.
#pragma once

#include <optional>

namespace vigil::daemon {

/// "ready\n" to the descriptor of --ready-fd, which is then closed; READY=1 to $NOTIFY_SOCKET when there is one (sd_notify(3)).
void announce_ready(std::optional<int> ready_fd);

}  // namespace vigil::daemon

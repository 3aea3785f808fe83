#include "host/daemon/readiness.hpp"

#include "shared/base/unique_fd.hpp"

#include <spdlog/spdlog.h>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace vigil::daemon {

void announce_ready(std::optional<int> ready_fd) {
    if (!ready_fd) return;
    const UniqueFd descriptor(*ready_fd);
    constexpr std::string_view line = "ready\n";
    if (::write(descriptor.get(), line.data(), line.size()) < 0) spdlog::warn("daemon.ready_fd_failed fd={} err=\"{}\"", *ready_fd, std::strerror(errno));
}

}  // namespace vigil::daemon

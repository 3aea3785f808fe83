#include "host/daemon/readiness.hpp"

#include "shared/base/unique_fd.hpp"

#include <spdlog/spdlog.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace vigil::daemon {

namespace {

void notify_systemd(std::string_view path) {
    sockaddr_un address{};
    if (path.size() < 2 || path.size() >= sizeof(address.sun_path)) return;
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    if (path.front() == '@') address.sun_path[0] = '\0';  // an abstract address
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    constexpr std::string_view message = "READY=1";
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size) < 0)
        spdlog::warn("daemon.notify_failed path={} err=\"{}\"", path, std::strerror(errno));
}

}  // namespace

void announce_ready(std::optional<int> ready_fd) {
    if (const char* path = std::getenv("NOTIFY_SOCKET"); path != nullptr) notify_systemd(path);
    if (!ready_fd) return;
    const UniqueFd descriptor(*ready_fd);
    constexpr std::string_view line = "ready\n";
    if (::write(descriptor.get(), line.data(), line.size()) < 0) spdlog::warn("daemon.ready_fd_failed fd={} err=\"{}\"", *ready_fd, std::strerror(errno));
}

}  // namespace vigil::daemon

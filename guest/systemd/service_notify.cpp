#include "guest/systemd/service_notify.hpp"

#include "guest/log/log.hpp"
#include "shared/base/unique_fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace vigil::guest::systemd {

void notify_service(const std::string& state) {
  const char* const place = std::getenv("NOTIFY_SOCKET");
  if (place == nullptr) return;
  const std::string path(place);
  ::unsetenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size) < 0)
    log::warning("systemd.not_notified", {{"err", std::strerror(errno)}});
}

}  // namespace vigil::guest::systemd

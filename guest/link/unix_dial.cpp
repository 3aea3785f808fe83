#include "guest/link/unix_dial.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::link {

Result<UniqueFd> UnixDialler::dial() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno("socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return Error(Errc::invalid, "socket path is too long: " + path_);
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == EINPROGRESS) return fd;
  return Error(Errc::unavailable, "connect " + path_ + ": " + std::strerror(errno));
}

}  // namespace vigil::guest::link

#include "host/systemd/passed_sockets.hpp"

#include "host/systemd/environment.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace vigil::systemd {

namespace {

constexpr std::uint64_t most_sockets = 16;

/// The name before the next colon, which is taken away with it.
std::string next_name(std::string& names) {
  const auto colon = names.find(':');
  std::string name = names.substr(0, colon);
  names = colon == std::string::npos ? "" : names.substr(colon + 1);
  return name;
}

int option_of(int socket, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(socket, SOL_SOCKET, option, &value, &size) != 0) return -1;
  return value;
}

/// Empty: it is no Unix socket, or it has no path.
std::string path_of(int socket) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX) return "";
  const std::size_t room = size > offsetof(sockaddr_un, sun_path) ? size - offsetof(sockaddr_un, sun_path) : 0;
  const std::string path(address.sun_path, room);
  return path.substr(0, path.find('\0'));
}

Result<PassedSocket> take(int descriptor, std::string name) {
  PassedSocket passed{std::move(name), path_of(descriptor), UniqueFd(descriptor)};
  const bool listens = option_of(descriptor, SO_ACCEPTCONN) == 1 && option_of(descriptor, SO_TYPE) == SOCK_STREAM;
  if (!listens || passed.path.empty())
    return Error(
        Errc::invalid,
        "descriptor " + std::to_string(descriptor) + " (" + passed.name +
            ") of socket activation is no listening Unix stream socket with a path; give the socket unit ListenStream=/PATH and Accept=no");
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
    return Error::from_errno("take over descriptor " + std::to_string(descriptor), errno);
  return passed;
}

}  // namespace

Result<std::vector<PassedSocket>> take_passed_sockets(int first) {
  const auto pid = number_of(take_variable("LISTEN_PID"));
  const auto count = number_of(take_variable("LISTEN_FDS"));
  auto names = take_variable("LISTEN_FDNAMES");
  std::vector<PassedSocket> sockets;
  if (!count || pid != static_cast<std::uint64_t>(::getpid())) return sockets;
  if (*count > most_sockets)
    return Error(Errc::limit, "LISTEN_FDS is " + std::to_string(*count) + ", at most " + std::to_string(most_sockets) + " are understood");
  for (std::uint64_t each = 0; each < *count; ++each) {
    TRY(passed, take(first + static_cast<int>(each), next_name(names)));
    sockets.push_back(std::move(passed));
  }
  return sockets;
}

}  // namespace vigil::systemd

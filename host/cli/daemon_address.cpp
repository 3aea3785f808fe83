#include "host/cli/daemon_address.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace vigil::cli {

namespace {

constexpr std::size_t max_token_bytes = 4096;

Error nobody_there(const DaemonAddress& daemon) { return Error(Errc::unavailable, "no daemon serves " + daemon.name()); }

Result<UniqueFd> connect_unix(const DaemonAddress& daemon) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (daemon.socket.size() >= sizeof address.sun_path) return Error(Errc::limit, daemon.socket + ": a socket's path has at most 107 bytes");
  daemon.socket.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return nobody_there(daemon);
  return fd;
}

Result<UniqueFd> connect_tcp(const DaemonAddress& daemon) {
  constexpr std::string_view scheme = "http://";
  if (!daemon.api.starts_with(scheme)) return Error(Errc::unsupported, daemon.api + ": streams go over http:// alone");
  auto host = daemon.api.substr(scheme.size());
  const auto colon = host.rfind(':');
  if (colon == std::string::npos) return Error(Errc::invalid, daemon.api + ": no port");
  const auto port = host.substr(colon + 1, host.find('/', colon) - colon - 1);
  host.resize(colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return nobody_there(daemon);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  for (const auto* each = found; each != nullptr; each = each->ai_next) {
    UniqueFd fd(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd && ::connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0) return fd;
  }
  return nobody_there(daemon);
}

}  // namespace

Result<std::string> read_token(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return Error::from_errno("the token's file " + path, errno);
  if ((status.st_mode & 077) != 0) return Error(Errc::denied, path + ": others can read this token; chmod 600 it, and make a new one if they may have");
  std::string text(max_token_bytes, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  text = text.substr(0, text.find_first_of("\r\n"));
  if (text.empty()) return Error(Errc::invalid, path + ": no token in it");
  return text;
}

Result<UniqueFd> connect_to(const DaemonAddress& daemon) { return daemon.api.empty() ? connect_unix(daemon) : connect_tcp(daemon); }

}  // namespace vigil::cli

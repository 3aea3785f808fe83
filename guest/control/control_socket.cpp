#include "guest/control/control_socket.hpp"

#include "guest/control/control_message.hpp"
#include "guest/log/log.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::control {
namespace {

constexpr std::size_t max_connections = 16;
constexpr std::chrono::milliseconds longest_silence{30'000};

bool may_ask(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

ControlSocket::ControlSocket(EventLoop& loop, std::string path, Answer answer)
    : loop_(loop), path_(std::move(path)), answer_(std::move(answer)) {
  if (!listen_at(path_)) {
    log::warning("control.not_listening", {{"path", path_}, {"err", std::strerror(errno)}});
    listener_.reset();
    return;
  }
  token_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { take_connection(); });
}

ControlSocket::~ControlSocket() {
  if (listener_) ::unlink(path_.c_str());
}

bool ControlSocket::listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  errno = ENAMETOOLONG;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener_) return false;
  const mode_t before = ::umask(0177);   // 0600 from the first moment on
  const bool bound = ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(before);
  return bound && ::listen(listener_.get(), static_cast<int>(max_connections)) == 0;
}

void ControlSocket::take_connection() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return;
  if (connections_.size() >= max_connections || !may_ask(fd.get())) {
    log::warning("control.refused", {{"connections", connections_.size()}});
    return;
  }
  connections_.emplace_back();
  const Place place = std::prev(connections_.end());
  place->fd = std::move(fd);
  place->io = loop_.watch(place->fd.get(), EPOLLIN, [this, place](std::uint32_t events) { on_ready(place, events); });
  rearm_idle(place);
}

void ControlSocket::rearm_idle(Place connection) {
  connection->idle = loop_.after(longest_silence, [this, connection] { connections_.erase(connection); });
}

void ControlSocket::on_ready(Place connection, std::uint32_t epoll_events) {
  const bool alive = ((epoll_events & (EPOLLIN | EPOLLHUP)) == 0 || read_in(*connection)) && write_out(*connection);
  if (!alive) {
    connections_.erase(connection);
    return;
  }
  loop_.rearm(connection->io, connection->unsent.empty() ? EPOLLIN : EPOLLOUT);   // one answer at a time
  rearm_idle(connection);
}

/// False: it is over.
bool ControlSocket::read_in(Connection& connection) {
  char block[max_line_bytes];
  const ssize_t length = ::recv(connection.fd.get(), block, sizeof block, 0);
  if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) return false;
  if (length > 0) connection.unread.append(block, static_cast<std::size_t>(length));
  std::size_t end = 0;
  while ((end = connection.unread.find('\n')) != std::string::npos) {
    const std::string line = connection.unread.substr(0, end);
    connection.unread.erase(0, end + 1);
    const auto question = parse_question(line);
    connection.unsent += encode_answer(question ? answer_(*question) : Result<std::string>(question.error()));
  }
  return connection.unread.size() <= max_line_bytes;
}

bool ControlSocket::write_out(Connection& connection) {
  while (!connection.unsent.empty()) {
    const ssize_t length = ::send(connection.fd.get(), connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno == EAGAIN;
    connection.unsent.erase(0, static_cast<std::size_t>(length));
  }
  return true;
}

}  // namespace vigil::guest::control

#include "tests/bench/native/fleet/socket_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace vigil::fleet {

namespace {

constexpr int backlog = 64;

UniqueFd listen_on(const std::string& path) {
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("socket path is too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), backlog) != 0)
    throw std::runtime_error("listen on " + path + ": " + std::strerror(errno));
  return listener;
}

}  // namespace

SocketServer::SocketServer(guest::EventLoop& loop, const std::string& path, OnBytes on_bytes, std::string greeting)
    : loop_(loop), on_bytes_(std::move(on_bytes)), greeting_(std::move(greeting)), listener_(listen_on(path)) {
  watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

void SocketServer::accept_one() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  constexpr int room = 4 << 20;   // for a console from its beginning; whoever may not has less
  if (!socket) return;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  if (!say(socket.get(), greeting_)) return;
  const std::uint64_t number = ++accepted_;
  Peer& peer = peers_[number];
  peer.socket = std::move(socket);
  peer.watch = loop_.watch(peer.socket.get(), EPOLLIN, [this, number](std::uint32_t) { read_from(number); });
}

void SocketServer::read_from(std::uint64_t number) {
  Peer& peer = peers_.at(number);
  char bytes[16 * 1024];
  const ssize_t count = ::recv(peer.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  bool goes_on = count > 0;
  if (goes_on) {
    peer.unread.append(bytes, static_cast<std::size_t>(count));
    std::string answer;
    goes_on = on_bytes_(number, peer.unread, answer) && say(peer.socket.get(), answer);
  }
  if (!goes_on) peers_.erase(number);
}

bool SocketServer::pass(std::uint64_t connection, const std::string& bytes, int socket) {
  const auto peer = peers_.find(connection);
  if (peer == peers_.end()) return false;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  std::string copy = bytes;
  iovec part{copy.data(), copy.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &socket, sizeof(int));
  return ::sendmsg(peer->second.socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

void SocketServer::say_to(std::uint64_t connection, const std::string& bytes) {
  const auto peer = peers_.find(connection);
  if (peer != peers_.end() && !say(peer->second.socket.get(), bytes)) peers_.erase(peer);
}

/// Answers are small and peers read: one that does not is given up.
bool SocketServer::say(int socket, const std::string& bytes) {
  return bytes.empty() || ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

}  // namespace vigil::fleet

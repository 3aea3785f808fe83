#include "guest/streams/tcp_forward.hpp"

#include "guest/process/listeners.hpp"
#include "shared/streams/control.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vigil::guest::streams {
namespace {

constexpr std::size_t bytes_a_turn = 1024 * 1024;   // then the loop's other work has its turn

}  // namespace

TcpForward::TcpForward(EventLoop& loop, Stream& stream, const TcpOpening& opening)
    : loop_(loop), stream_(stream), port_(opening.port), targets_(targets_of(opening.port)), sink_(loop, [this] {
        stream_.pause_input(false);
        finish_if_done();
      }) {
  try_next();
}

std::vector<TcpForward::Target> TcpForward::targets_of(std::uint16_t port) {
  std::vector<Target> targets;
  const auto add = [&](bool ipv6, const void* address, std::string text) {
    if (std::any_of(targets.begin(), targets.end(), [&](const Target& each) { return each.text == text; })) return;
    Target target;
    target.text = std::move(text);
    if (ipv6) {
      auto& in6 = reinterpret_cast<sockaddr_in6&>(target.address);
      in6.sin6_family = AF_INET6;
      in6.sin6_port = htons(port);
      std::memcpy(&in6.sin6_addr, address, sizeof in6.sin6_addr);
      target.size = sizeof in6;
    } else {
      auto& in = reinterpret_cast<sockaddr_in&>(target.address);
      in.sin_family = AF_INET;
      in.sin_port = htons(port);
      std::memcpy(&in.sin_addr, address, sizeof in.sin_addr);
      target.size = sizeof in;
    }
    targets.push_back(std::move(target));
  };
  const in_addr loopback{htonl(INADDR_LOOPBACK)};
  add(false, &loopback, "127.0.0.1");
  add(true, &in6addr_loopback, "::1");
  for (const auto& listener : process::read_listeners(port))
    if (!listener.is_any()) add(listener.ipv6, listener.address.data(), listener.address_text());
  return targets;
}

void TcpForward::try_next() {
  watch_.cancel();
  socket_.reset();
  int error = ECONNREFUSED;
  while (next_ < targets_.size()) {
    const Target& target = targets_[next_++];
    socket_.reset(::socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) continue;   // no IPv6 here
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&target.address), target.size) == 0) return connected();
    error = errno;
    if (error != EINPROGRESS) continue;
    watch_ = loop_.watch(socket_.get(), EPOLLOUT, [this](std::uint32_t) {
      int failure = 0;
      socklen_t size = sizeof failure;
      ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
      if (failure != 0) return try_next();
      watch_.cancel();
      connected();
    });
    return;
  }
  const std::string why = error == ECONNREFUSED ? "" : std::string(" (") + std::strerror(error) + ")";
  stream_.refuse(Error(Errc::unavailable, "nothing in the VM listens on port " + std::to_string(port_) + why));
}

void TcpForward::connected() {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  writing_.reset(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  sink_.open(writing_.get());
  watch_local();
  stream_.accept("{\"address\":\"" + targets_[next_ - 1].text + "\"}");
}

void TcpForward::received(Chunk chunk) {
  if (chunk.channel != Channel::data || host_ended_) return;
  if (chunk.is_end()) {
    host_ended_ = true;
    return finish_if_done();
  }
  sink_.write(chunk.bytes);
  if (sink_.is_broken()) return broken("the service has closed the connection", EPIPE);
  if (!sink_.wants_more()) stream_.pause_input(true);
}

void TcpForward::can_send() {
  if (!local_ended_ && !watch_) watch_local();
}

void TcpForward::watch_local() {
  watch_ = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { on_ready(); });
}

void TcpForward::on_ready() {
  static char block[64 * 1024];
  for (std::size_t taken = 0; taken < bytes_a_turn && stream_.has_room();) {
    const ssize_t count = ::recv(socket_.get(), block, sizeof block, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return broken("the service broke the connection", errno);
    if (count == 0) {
      local_ended_ = true;
      watch_.cancel();
      stream_.end(Channel::data);
      return finish_if_done();
    }
    taken += static_cast<std::size_t>(count);
    sent_ += static_cast<std::uint64_t>(count);
    stream_.send(Channel::data, {block, static_cast<std::size_t>(count)});
  }
  if (!stream_.has_room()) watch_.cancel();   // not disarmed: a hang-up would be told again and again
}

void TcpForward::finish_if_done() {
  if (host_ended_ && sink_.is_empty()) ::shutdown(socket_.get(), SHUT_WR);
  if (host_ended_ && local_ended_ && sink_.is_empty()) stream_.finish(Done{sent_});
}

void TcpForward::broken(const std::string& what, int error) {
  watch_.cancel();
  sink_.close();
  stream_.finish(Problem{Errc::io, what + ": " + std::strerror(error)});
}

}  // namespace vigil::guest::streams

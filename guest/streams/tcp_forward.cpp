#include "guest/streams/tcp_forward.hpp"

#include "guest/process/listeners.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::streams {

TcpForward::TcpForward(EventLoop& loop, Stream& stream, const TcpOpening& opening)
    : SocketBridge(loop, stream), loop_(loop), stream_(stream), port_(opening.port) {
  const in_addr loopback{htonl(INADDR_LOOPBACK)};
  add(false, &loopback, "127.0.0.1");
  add(true, &in6addr_loopback, "::1");
  try_next();
}

void TcpForward::add(bool ipv6, const void* address, std::string text) {
  if (std::any_of(targets_.begin(), targets_.end(), [&](const Target& each) { return each.text == text; })) return;
  Target target;
  target.text = std::move(text);
  if (ipv6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(target.address);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port_);
    std::memcpy(&in6.sin6_addr, address, sizeof in6.sin6_addr);
    target.size = sizeof in6;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(target.address);
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    std::memcpy(&in.sin_addr, address, sizeof in.sin_addr);
    target.size = sizeof in;
  }
  targets_.push_back(std::move(target));
}

/// Only when nobody is on the loopback: the kernel's table is long to read.
void TcpForward::add_listeners() {
  if (std::exchange(listeners_known_, true)) return;
  for (const auto& listener : process::read_listeners(port_))
    if (!listener.is_any()) add(listener.ipv6, listener.address.data(), listener.address_text());
}

void TcpForward::try_next() {
  watch_.cancel();
  socket_.reset();
  int error = ECONNREFUSED;
  for (;;) {
    if (next_ == targets_.size()) add_listeners();
    if (next_ == targets_.size()) break;
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
  carry(std::move(socket_));
  stream_.accept("{\"address\":\"" + targets_[next_ - 1].text + "\"}");
}

}  // namespace vigil::guest::streams

#include "guest/streams/socket_bridge.hpp"

#include "shared/streams/control.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::streams {
namespace {

constexpr std::size_t bytes_a_turn = 1024 * 1024;   // then the loop's other work has its turn

}  // namespace

SocketBridge::SocketBridge(EventLoop& loop, Stream& stream)
    : loop_(loop), stream_(stream), sink_(loop, [this] {
        stream_.pause_input(false);
        finish_if_done();
      }) {}

void SocketBridge::carry(UniqueFd socket) {
  socket_ = std::move(socket);
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  writing_.reset(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  sink_.open(writing_.get());
  watch_local();
}

std::optional<KeptOperation> SocketBridge::keep() const {
  if (!socket_) return std::nullopt;
  return KeptBridge{socket_.get(), std::string(sink_.waiting()), local_ended_, host_ended_, sent_};
}

void SocketBridge::resume(const KeptBridge& kept) {
  sent_ = kept.sent;
  local_ended_ = kept.local_ended;
  host_ended_ = kept.host_ended;
  carry(UniqueFd(kept.fd));
  if (local_ended_) watch_.cancel();
  sink_.write(kept.input);
  stream_.pause_input(!sink_.wants_more());
}

void SocketBridge::received(Chunk chunk) {
  if (chunk.channel != Channel::data || host_ended_) return;
  if (chunk.is_end()) {
    host_ended_ = true;
    return finish_if_done();
  }
  sink_.write(chunk.bytes);
  if (sink_.is_broken()) return broken("the service has closed the connection", EPIPE);
  if (!sink_.wants_more()) stream_.pause_input(true);
}

void SocketBridge::can_send() {
  if (!local_ended_ && !watch_) watch_local();
}

void SocketBridge::watch_local() {
  watch_ = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { on_ready(); });
}

void SocketBridge::on_ready() {
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

void SocketBridge::finish_if_done() {
  if (host_ended_ && sink_.is_empty()) ::shutdown(socket_.get(), SHUT_WR);
  if (host_ended_ && local_ended_ && sink_.is_empty()) stream_.finish(Done{sent_});
}

void SocketBridge::broken(const std::string& what, int error) {
  watch_.cancel();
  sink_.close();
  stream_.finish(Problem{Errc::io, what + ": " + std::strerror(error)});
}

}  // namespace vigil::guest::streams

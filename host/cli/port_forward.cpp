#include "host/cli/port_forward.hpp"

#include "host/cli/guest_stream.hpp"
#include "host/cli/view.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <thread>

namespace vigil::cli {

using streams::Channel;

namespace {

/// Carries one connection; ends when both sides have.
class ForwardedConnection {
public:
  ForwardedConnection(UniqueFd client, GuestStream stream) : client_(std::move(client)), stream_(std::move(stream)) {}

  Result<void> run() {
    for (;;) {
      TRY(over, take_chunks());
      if (over) return {};
      TRY_VOID(stream_.flush());
      // Each side is read only when what it sent before has gone.
      pollfd waits[2] = {{stream_.fd(), static_cast<short>((for_client_.empty() ? POLLIN : 0) | (stream_.has_unsent() ? POLLOUT : 0)), 0},
                         {client_.get(), static_cast<short>((!client_ended_ && !stream_.has_unsent() ? POLLIN : 0) | (for_client_.empty() ? 0 : POLLOUT)), 0}};
      if (client_ended_ && for_client_.empty()) waits[1].fd = -1;   // its hang-up would be told again and again
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) return Error::from_errno("poll", errno);
      if (waits[1].revents & POLLOUT) TRY_VOID(write_client());
      if (waits[1].revents & (POLLIN | POLLHUP | POLLERR) && !client_ended_) read_client();
      if (waits[0].revents & (POLLIN | POLLHUP | POLLERR) && for_client_.empty()) TRY_VOID(stream_.read_more());
    }
  }

private:
  Result<bool> take_chunks() {
    while (for_client_.empty()) {
      TRY(chunk, stream_.next());
      if (!chunk) return false;
      if (chunk->channel == Channel::data && chunk->is_end()) ::shutdown(client_.get(), SHUT_WR);
      if (chunk->channel == Channel::data) for_client_ = std::move(chunk->bytes);
      if (chunk->channel != Channel::control) continue;
      if (chunk->is_end()) return true;
      TRY(message, streams::decode_control(chunk->bytes));
      if (const auto* const problem = std::get_if<streams::Problem>(&message)) return Error(problem->code, problem->detail);
    }
    return false;
  }

  Result<void> write_client() {
    const ssize_t count = ::send(client_.get(), for_client_.data(), for_client_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count < 0) return Error::from_errno("the client", errno);
    for_client_.erase(0, static_cast<std::size_t>(count));
    return {};
  }

  void read_client() {
    char block[64 * 1024];
    const ssize_t count = ::recv(client_.get(), block, sizeof block, MSG_DONTWAIT);
    if (count > 0) return stream_.queue(Channel::data, {block, static_cast<std::size_t>(count)});
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    client_ended_ = true;
    stream_.queue_end(Channel::data);
  }

  UniqueFd client_;
  GuestStream stream_;
  std::string for_client_;
  bool client_ended_ = false;
};

void reset_connection(int fd) {
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void serve(UniqueFd client, const DaemonAddress& daemon, const std::string& vm, std::uint16_t port) {
  auto stream = GuestStream::open(daemon, vm, streams::TcpOpening{port});
  if (!stream) {
    std::fprintf(stderr, "vigil: port %u: %s\n", unsigned{port}, safe(stream.error().message()).c_str());
    return reset_connection(client.get());
  }
  ForwardedConnection connection(std::move(client), std::move(*stream));
  if (const auto carried = connection.run(); !carried) std::fprintf(stderr, "vigil: port %u: %s\n", unsigned{port}, safe(carried.error().message()).c_str());
}

}  // namespace

Result<std::unique_ptr<PortForward>> PortForward::listen(DaemonAddress daemon, std::string vm, std::uint16_t guest, std::uint16_t local) {
  auto forward = std::make_unique<PortForward>();
  forward->daemon_ = std::move(daemon);
  forward->vm_ = std::move(vm);
  forward->guest_ = guest;
  forward->listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(forward->listener(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(local);
  socklen_t size = sizeof address;
  if (::bind(forward->listener(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Error(Errc::conflict, "127.0.0.1:" + std::to_string(local) + " is taken on this machine; another one: " + std::to_string(guest) + ":LOCAL, or " +
                                     std::to_string(guest) + ":0 for any free one");
  if (::listen(forward->listener(), SOMAXCONN) != 0 || ::getsockname(forward->listener(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return Error::from_errno("listen", errno);
  forward->local_ = ntohs(address.sin_port);
  return forward;
}

void PortForward::accept_one() {
  UniqueFd client(::accept4(listener(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  const int on = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::thread([client = std::move(client), daemon = daemon_, vm = vm_, port = guest_]() mutable { serve(std::move(client), daemon, vm, port); }).detach();
}

}  // namespace vigil::cli

#include "guest/egress/egress_proxy.hpp"

#include "guest/log/log.hpp"
#include "guest/streams/socket_bridge.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::egress {

using namespace std::chrono_literals;

namespace {

constexpr int proxy_backlog = 128, accepted_a_turn = 16;
constexpr auto dial_deadline = 20s;

/// One connection that leaves the VM.
class Outgoing final : public streams::SocketBridge {
public:
  Outgoing(EventLoop& loop, streams::Stream& stream, UniqueFd local) : SocketBridge(loop, stream) { carry(std::move(local)); }
};

/// As much of an answer as the socket takes at once, which is all of it.
void answer_and_close(UniqueFd local, const std::string& status, const std::string& detail) {
  const std::string body = "{\"title\":\"the connection was not made\",\"code\":\"unavailable\",\"detail\":\"" + detail + "\"}\n";
  const std::string text = "HTTP/1.1 " + status + "\r\nContent-Type: application/problem+json\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\nConnection: close\r\n\r\n" + body;
  char waste[4096];
  while (::recv(local.get(), waste, sizeof waste, MSG_DONTWAIT) > 0) {
  }
  (void)!::send(local.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);   // who has gone is not told
}

}  // namespace

Result<UniqueFd> listen_loopback(std::uint16_t port) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener) return Error::from_errno("socket", errno);
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Error(Errc::conflict, "bind 127.0.0.1:" + std::to_string(port) + ": " + std::strerror(errno));
  if (::listen(listener.get(), proxy_backlog) != 0) return Error::from_errno("listen", errno);
  return listener;
}

EgressProxy::EgressProxy(EventLoop& loop, UniqueFd listener, Dial dial, Hello hello)
    : loop_(loop), listener_(std::move(listener)), dial_(std::move(dial)), hello_(std::move(hello)) {
  watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_some(); });
}

void EgressProxy::accept_some() {
  for (int i = 0; i < accepted_a_turn; ++i) {
    UniqueFd local(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!local) return;
    add(std::move(local));
  }
}

void EgressProxy::add(UniqueFd local) {
  if (connections_.size() >= max_connections) return answer_and_close(std::move(local), "503 too many connections", "too many connections leave this VM at once");
  auto host = dial_();
  if (!host) return answer_and_close(std::move(local), "502 no way out", "the host cannot be dialled");
  const auto place = connections_.emplace(connections_.end());
  place->local = std::move(local);
  place->host = std::move(*host);
  place->watch = loop_.watch(place->host.get(), EPOLLOUT, [this, place](std::uint32_t) { dialled(place); });
  place->deadline = loop_.after(dial_deadline, [this, place] { give_up(place, "the host did not answer in time"); });
}

void EgressProxy::dialled(Place place) {
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(place->host.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return give_up(place, "the host does not take connections that leave this VM");
  place->watch.cancel();
  place->deadline.cancel();
  place->stream = std::make_unique<streams::Stream>(loop_, std::move(place->host), hello_(), [this, place] { forget_soon(place); });
  auto operation = std::make_unique<Outgoing>(loop_, *place->stream, std::move(place->local));
  place->stream->begin(std::move(operation));
}

EgressProxy::Kept EgressProxy::keep() const {
  Kept kept{listener_.get(), {}};
  for (const auto& connection : connections_)
    if (auto stream = connection.stream ? connection.stream->keep() : std::nullopt) kept.streams.push_back(std::move(*stream));
  return kept;
}

void EgressProxy::resume(const std::vector<streams::KeptStream>& kept) {
  for (const auto& each : kept) {
    const auto place = connections_.emplace(connections_.end());
    place->stream = std::make_unique<streams::Stream>(loop_, each, nullptr, [this, place] { forget_soon(place); });
    const auto* bridge = std::get_if<streams::KeptBridge>(&each.operation);
    if (bridge) place->stream->begin(std::make_unique<streams::ResumedBridge>(loop_, *place->stream, *bridge));
  }
}

void EgressProxy::give_up(Place place, const std::string& reason) {
  place->watch.cancel();
  place->deadline.cancel();
  log::warning("egress.not_dialled", {{"err", reason}});
  answer_and_close(std::move(place->local), "502 no way out", reason);
  forget_soon(place);
}

/// From the loop: nothing is destroyed inside a call from it.
void EgressProxy::forget_soon(Place place) {
  loop_.post([this, place, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) connections_.erase(place);
  });
}

}  // namespace vigil::guest::egress

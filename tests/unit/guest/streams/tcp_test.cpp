#include "tests/unit/guest/streams/stage.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <thread>

namespace vigil::guest::streams {
namespace {

/// A local service: what `serve` does with its one connection, in a thread of its own.
class Service {
public:
  Service(int family, std::function<void(int)> serve) : serve_(std::move(serve)) {
    listener_.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_in6);
    if (family == AF_INET) {
      auto& in = reinterpret_cast<sockaddr_in&>(address);
      in.sin_family = AF_INET;
      in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      size = sizeof in;
    } else {
      auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
      in6.sin6_family = AF_INET6;
      in6.sin6_addr = in6addr_loopback;
    }
    bound_ = listener_ && ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 && ::listen(listener_.get(), 4) == 0;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port : reinterpret_cast<sockaddr_in6&>(address).sin6_port);
    if (bound_) thread_ = std::thread([this] {
      const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer) serve_(peer.get());
    });
  }
  ~Service() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  bool is_bound() const { return bound_; }
  std::uint16_t port = 0;

private:
  std::function<void(int)> serve_;
  UniqueFd listener_;
  bool bound_ = false;
  std::thread thread_;
};

/// Everything until the client's end of data, then the same back.
void echo_all(int fd) {
  std::string all;
  char block[65536];
  for (ssize_t count = 0; (count = ::recv(fd, block, sizeof block, 0)) > 0;) all.append(block, static_cast<std::size_t>(count));
  for (std::size_t at = 0; at < all.size();) {
    const ssize_t count = ::send(fd, all.data() + at, all.size() - at, MSG_NOSIGNAL);
    if (count <= 0) return;
    at += static_cast<std::size_t>(count);
  }
}

TEST_CASE("tcp: bytes both ways, and each side's end as such", "[guest][streams]") {
  for (const int family : {AF_INET, AF_INET6}) {
    Service service(family, echo_all);
    if (!service.is_bound()) continue;   // no IPv6 here
    Stage stage;
    const auto stream = stage.open(TcpOpening{service.port});
    stage.accepted(*stream);
    std::string large(2'000'000, 'a');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31);
    stream->send(Channel::data, large);
    stream->end(Channel::data);
    stage.until([&] { return stream->is_over(); });
    CHECK(stream->got[Channel::data] == large);
    CHECK(stream->last<Done>() == Done{large.size()});
  }
}

TEST_CASE("tcp: nobody listens", "[guest][streams]") {
  std::uint16_t port = 0;
  {
    Service gone(AF_INET, [](int) {});
    port = gone.port;
  }
  Stage stage;
  const auto stream = stage.open(TcpOpening{port});
  stage.until([&] { return stream->answer.has_value(); });
  CHECK(stream->answer->error().code() == Errc::unavailable);
  CHECK(stream->answer->error().message().find(std::to_string(port)) != std::string::npos);
}

TEST_CASE("tcp: a service that breaks the connection is told as one", "[guest][streams]") {
  Service service(AF_INET, [](int fd) {
    char byte = 0;
    (void)::recv(fd, &byte, 1, 0);
    const linger hard{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  });
  Stage stage;
  const auto stream = stage.open(TcpOpening{service.port});
  stage.accepted(*stream);
  stream->send(Channel::data, "x");
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->last<Problem>()->code == Errc::io);
}

TEST_CASE("tcp: the host's hang-up closes the service's connection", "[guest][streams]") {
  std::atomic<bool> ended = false;
  Service service(AF_INET, [&](int fd) {
    char byte = 0;
    ended = ::recv(fd, &byte, 1, 0) <= 0;
  });
  Stage stage;
  const auto stream = stage.open(TcpOpening{service.port});
  stage.accepted(*stream);
  stream->close();
  stage.until([&] { return ended.load(); });
}

}  // namespace
}  // namespace vigil::guest::streams

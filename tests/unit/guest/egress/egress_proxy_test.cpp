// The way out of the VM: a program on the loopback, the proxy, and the host's end, all in one loop.
#include "guest/egress/egress_proxy.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/chunk.hpp"

#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <vector>

namespace vigil::guest::egress {

using vigil::streams::Channel;

namespace {

/// A descriptor that is read as bytes come.
struct End {
  UniqueFd fd;
  std::string got;
  bool closed = false;
  const std::string& heard() {
    char block[65536];
    ssize_t count = 0;
    while (fd && (count = ::recv(fd.get(), block, sizeof block, MSG_DONTWAIT)) > 0) got.append(block, static_cast<std::size_t>(count));
    if (fd && count == 0) closed = true;
    return got;
  }
  bool send(std::string_view bytes) { return ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size()); }
};

struct Fixture {
  EventLoop loop;
  std::vector<std::unique_ptr<End>> hosts;
  bool host_is_there = true;
  std::uint16_t port = 0;
  std::unique_ptr<EgressProxy> proxy;

  Fixture() {
    auto listener = listen_loopback(0);
    REQUIRE(listener.has_value());
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    proxy = std::make_unique<EgressProxy>(loop, std::move(*listener), [this] { return dial(); }, [] { return framing::make_frame("hello"); });
  }
  Result<UniqueFd> dial() {
    if (!host_is_there) return Error(Errc::unavailable, "nobody");
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    hosts.push_back(std::make_unique<End>());
    hosts.back()->fd.reset(ends[0]);
    return UniqueFd(ends[1]);
  }
  End program() {
    End end;
    end.fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(end.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return end;
  }
  template <class Holds>
  bool turn_until(Holds holds) {
    for (int turns = 0; turns < 2000; ++turns) {
      if (holds()) return true;
      loop.run_once(std::chrono::milliseconds(10));
    }
    return false;
  }
};

std::string chunk(Channel channel, std::string_view bytes) {
  std::string text;
  if (bytes.empty()) vigil::streams::append_end(text, channel);
  else vigil::streams::append_chunks(text, channel, bytes);
  return text;
}

}  // namespace

TEST_CASE("egress proxy: a hello, then the program's bytes unread, and both ends", "[guest][egress]") {
  Fixture fixture;
  auto program = fixture.program();
  REQUIRE(program.send("CONNECT any thing\r\n"));
  const auto expected = framing::make_frame("hello") + chunk(Channel::data, "CONNECT any thing\r\n");
  REQUIRE(fixture.turn_until([&] { return !fixture.hosts.empty() && fixture.hosts[0]->heard() == expected; }));
  auto& host = *fixture.hosts[0];
  REQUIRE(host.send(chunk(Channel::data, "answer") + chunk(Channel::data, "")));
  CHECK(fixture.turn_until([&] { return program.heard() == "answer" && program.closed; }));
  ::shutdown(program.fd.get(), SHUT_WR);
  CHECK(fixture.turn_until([&] { return host.heard().ends_with(chunk(Channel::control, "")); }));
  CHECK(host.heard().find(chunk(Channel::data, "")) != std::string::npos);
  host.fd.reset();
  CHECK(fixture.turn_until([&] { return fixture.proxy->connections() == 0; }));
}

TEST_CASE("egress proxy: a large answer to a slow program waits on the way, not in memory", "[guest][egress]") {
  Fixture fixture;
  auto program = fixture.program();
  REQUIRE(program.send("x"));
  REQUIRE(fixture.turn_until([&] { return !fixture.hosts.empty() && !fixture.hosts[0]->heard().empty(); }));
  auto& host = *fixture.hosts[0];
  const auto block = chunk(Channel::data, std::string(60'000, 'y'));
  std::size_t sent = 0, idle = 0;
  while (idle < 50 && sent < 200'000'000) {
    const ssize_t count = ::send(host.fd.get(), block.data() + sent % block.size(), block.size() - sent % block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    idle = count > 0 ? 0 : idle + 1;
    fixture.loop.run_once(std::chrono::milliseconds(1));
  }
  CHECK(sent < 20'000'000);
}

TEST_CASE("egress proxy: without a host there is an answer, and one connection too many is told", "[guest][egress]") {
  Fixture fixture;
  SECTION("no host") {
    fixture.host_is_there = false;
    auto program = fixture.program();
    CHECK(fixture.turn_until([&] { return program.heard().starts_with("HTTP/1.1 502 ") && program.closed; }));
  }
  SECTION("too many") {
    std::vector<End> programs;
    for (std::size_t i = 0; i < max_connections; ++i) {
      programs.push_back(fixture.program());
      REQUIRE(fixture.turn_until([&] { return fixture.hosts.size() == i + 1; }));
    }
    auto one_more = fixture.program();
    CHECK(fixture.turn_until([&] { return one_more.heard().starts_with("HTTP/1.1 503 ") && one_more.closed; }));
    programs.clear();
    for (auto& host : fixture.hosts) host->fd.reset();
    CHECK(fixture.turn_until([&] { return fixture.proxy->connections() == 0; }));
  }
}

}  // namespace vigil::guest::egress

#include "guest/dbus/connection.hpp"

#include "tests/unit/guest/dbus/wire_builder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <optional>

namespace vigil::guest {
using namespace std::chrono_literals;

using dbus::test::Header;
using dbus::test::make_message;
using dbus::test::Wire;

namespace {

struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    peer.reset(ends[1]);
    dbus::Connection::Events events{[this](const dbus::Message& message) { signals.push_back(message.member); },
                                    [this](const std::string& why) { lost = why; }};
    connection.emplace(loop, UniqueFd(ends[0]), std::move(events));
  }
  void turn() {
    for (int i = 0; i < 4; ++i) loop.run_once(5ms);
  }
  std::string heard() {
    char block[4096];
    const ssize_t count = ::recv(peer.get(), block, sizeof block, 0);
    return count > 0 ? std::string(block, static_cast<std::size_t>(count)) : std::string();
  }
  void say(const std::string& bytes) { REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())); }

  EventLoop loop;
  UniqueFd peer;
  std::optional<dbus::Connection> connection;
  std::vector<std::string> signals;
  std::string lost;
};

}  // namespace

TEST_CASE("dbus connection: asks to be let in, and calls go out when it is", "[guest][dbus]") {
  Pair pair;
  std::string answer;
  pair.connection->call({"/x", "org.x", "Get"},
                        [&](const Result<dbus::Message>& reply) { answer = reply ? "reply" : reply.error().message(); });
  pair.turn();
  std::string hex;
  for (const char digit : std::to_string(::geteuid())) hex += std::string("3") + digit;
  REQUIRE(pair.heard() == std::string(1, '\0') + "AUTH EXTERNAL " + hex + "\r\n");
  pair.say("OK 0123456789abcdef\r\n" + make_message({4, 1, 0, "/x", "org.x", "Came", "", ""}, ""));   // a signal in the same read
  pair.turn();
  const std::string sent = pair.heard();
  REQUIRE(sent.starts_with("BEGIN\r\nl"));
  REQUIRE(pair.signals == std::vector<std::string>{"Came"});
  pair.say(make_message({2, 2, 1, "", "", "", "", ""}, ""));
  pair.turn();
  REQUIRE(answer == "reply");
}

TEST_CASE("dbus connection: an error of the peer is told with its text", "[guest][dbus]") {
  Pair pair;
  std::optional<Error> error;
  pair.connection->call({"/x", "org.x", "Get"}, [&](const Result<dbus::Message>& reply) {
    if (!reply) error = reply.error();
  });
  pair.say("OK 1\r\n" + make_message({3, 2, 1, "", "", "", "org.x.NoSuchUnit", "s"}, Wire().s("Unit x not found.").bytes()));
  pair.turn();
  REQUIRE(error);
  REQUIRE(error->message() == "org.x.NoSuchUnit: Unit x not found.");
}

TEST_CASE("dbus connection: its end fails what is outstanding, then is said once", "[guest][dbus]") {
  Pair pair;
  int failures = 0;
  for (int i = 0; i < 3; ++i)
    pair.connection->call({"/x", "org.x", "Get"}, [&](const Result<dbus::Message>& reply) { failures += reply ? 0 : 1; });
  SECTION("closed") { pair.peer.reset(); }
  SECTION("refused") { pair.say("REJECTED EXTERNAL\r\n"); }
  SECTION("nonsense") { pair.say("OK 1\r\n" + std::string(64, 'x')); }
  pair.turn();
  REQUIRE(failures == 3);
  REQUIRE_FALSE(pair.lost.empty());
  pair.connection->call({"/x", "org.x", "Get"}, [&](const Result<dbus::Message>& reply) { failures += reply ? 0 : 1; });
  pair.turn();
  REQUIRE(failures == 4);
}

TEST_CASE("dbus connection: may be destroyed by whoever hears of its end", "[guest][dbus]") {
  Pair pair;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  std::unique_ptr<dbus::Connection> owned;
  owned = std::make_unique<dbus::Connection>(pair.loop, UniqueFd(ends[0]),
                                             dbus::Connection::Events{{}, [&](const std::string&) { owned.reset(); }});
  ::close(ends[1]);
  pair.turn();
  REQUIRE_FALSE(owned);
}

}  // namespace vigil::guest

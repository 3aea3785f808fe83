// The shim dials the guest for its daemon: what is answered arrives whole, and no dial is hung up before its answer, whoever has left meanwhile.
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/shim/shim_fixture.hpp"

#include "host/async/unix_listener.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <sys/socket.h>

#include <fstream>
#include <optional>

namespace vigil::shim {

using vigil::test::Seen;
using vigil::test::ShimFixture;
namespace asio = boost::asio;

namespace {

/// The host's end of a vsock device, and a VMM that runs until its file goes.
class DialFixture : public ShimFixture {
public:
  DialFixture() : vsock_((run_dir() / "vsock").string()), listener_(async::listen_unix(vsock_, 0600, 8).value()) {
    std::ofstream(goes_on()).put('\n');
    auto plan = spec("echo up; while [ -e " + goes_on().string() + " ]; do sleep 0.05; done");
    plan.dial_path = vsock_;
    REQUIRE(spawn(plan));
  }
  ~DialFixture() { std::filesystem::remove(goes_on()); }

  std::unique_ptr<ShimConnection> attached() {
    auto connection = attach();
    REQUIRE(connection);
    Seen seen;
    read(**connection, seen, [&seen] { return seen.console == "up\n"; });
    REQUIRE(seen.find<Status>());
    CHECK(seen.find<Status>()->dials);
    return std::move(*connection);
  }

  /// The device's end of the next dial.
  UniqueFd taken() const {
    pollfd polled{listener_.get(), POLLIN, 0};
    REQUIRE(::poll(&polled, 1, 20'000) == 1);
    return UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  std::filesystem::path goes_on() const { return directory.path() / "goes_on"; }
  void close_listener() { listener_.reset(); }

private:
  std::string vsock_;
  UniqueFd listener_;
};

std::string heard(const UniqueFd& socket) {
  pollfd polled{socket.get(), POLLIN, 0};
  char text[64] = {};
  if (::poll(&polled, 1, 20'000) != 1) return "nothing";
  const ssize_t got = ::recv(socket.get(), text, sizeof text, 0);
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : got == 0 ? "end" : "error";
}

bool is_quiet(const UniqueFd& socket) {
  pollfd polled{socket.get(), POLLIN | POLLRDHUP, 0};
  return ::poll(&polled, 1, 300) == 0;
}

/// One dial with somebody who reads the shim's events beside it, as the daemon does.
struct Dialling {
  Dialling(DialFixture& fixture, ShimConnection& connection) : io(fixture.io) {
    const auto keep = [](std::optional<Result<UniqueFd>>* kept, ShimConnection* dials) -> asio::awaitable<void> {
      auto dialling = dials->dial(5253);
      auto dialled = co_await std::move(dialling);
      kept->emplace(std::move(dialled));
    };
    const auto follow = [](ShimConnection* follows) -> asio::awaitable<void> {
      for (bool goes_on = true; goes_on;) {
        auto next = follows->next();
        const auto event = co_await std::move(next);
        goes_on = event.has_value();
      }
    };
    asio::co_spawn(io, keep(&outcome, &connection), asio::bind_cancellation_slot(given_up.slot(), [](std::exception_ptr) {}));
    asio::co_spawn(io, follow(&connection), [](std::exception_ptr) {});
    io.restart();
    io.poll();
  }
  Result<UniqueFd>& end() {
    REQUIRE(test::pump_until(io, [this] { return outcome.has_value(); }));
    return *outcome;
  }
  asio::io_context& io;
  std::optional<Result<UniqueFd>> outcome;
  asio::cancellation_signal given_up;
};

}  // namespace

TEST_CASE("shim dial: the answer's line is taken, what the guest says behind it is left", "[host][shim]") {
  DialFixture fixture;
  const auto connection = fixture.attached();
  Dialling dialling(fixture, *connection);
  const auto device = fixture.taken();
  CHECK(heard(device) == "CONNECT 5253\n");
  REQUIRE(::send(device.get(), "OK 5", 4, 0) == 4);  // in pieces
  CHECK(is_quiet(device));
  REQUIRE(::send(device.get(), "253\nhello", 9, 0) == 9);
  auto& dialled = dialling.end();
  REQUIRE(dialled);
  CHECK(heard(*dialled) == "hello");
  REQUIRE(::send(dialled->get(), "and you", 7, 0) == 7);
  CHECK(heard(device) == "and you");
  connection->close();
}

TEST_CASE("shim dial: nobody there, a refusal, a line without an end", "[host][shim]") {
  DialFixture fixture;
  const auto connection = fixture.attached();
  for (const auto& [says, reason] :
       {std::pair<std::string, std::string>{"", ""}, {"NO\n", "the vsock device refuses: NO"}, {std::string(100, 'x'), ""}}) {
    Dialling dialling(fixture, *connection);
    {
      const auto device = fixture.taken();
      CHECK(heard(device) == "CONNECT 5253\n");
      REQUIRE(::send(device.get(), says.data(), says.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(says.size()));
      if (!says.empty()) CHECK(heard(device) != "nothing");  // it is hung up
    }
    CHECK(dialling.end().error() == Error(Errc::unavailable, reason));
    fixture.io.restart();
  }
  fixture.close_listener();
  Dialling dialling(fixture, *connection);
  CHECK(dialling.end().error() == Error(Errc::unavailable, ""));
  connection->close();
}

TEST_CASE("shim dial: one that is given up is hung up when it was answered, not before", "[host][shim]") {
  DialFixture fixture;
  const auto connection = fixture.attached();
  Dialling dialling(fixture, *connection);
  const auto device = fixture.taken();
  CHECK(heard(device) == "CONNECT 5253\n");
  dialling.given_up.emit(asio::cancellation_type::all);
  fixture.io.restart();
  fixture.io.poll();
  CHECK(is_quiet(device));
  REQUIRE(::send(device.get(), "OK 5253\n", 8, MSG_NOSIGNAL) == 8);
  pollfd polled{device.get(), POLLIN, 0};
  CHECK(test::pump_until(fixture.io, [&polled] { return ::poll(&polled, 1, 0) == 1; }));
  CHECK(heard(device) == "end");
  connection->close();
}

TEST_CASE("shim dial: a daemon that dies in the midst of a dial leaves it to the shim, which waits for the answer", "[host][shim]") {
  DialFixture fixture;
  auto connection = fixture.attached();
  Dialling dialling(fixture, *connection);
  const auto device = fixture.taken();
  CHECK(heard(device) == "CONNECT 5253\n");
  connection->close();
  CHECK(dialling.end().error().code() == Errc::unavailable);
  connection.reset();
  CHECK(is_quiet(device));
  REQUIRE(::send(device.get(), "OK 5253\n", 8, MSG_NOSIGNAL) == 8);
  CHECK(heard(device) == "end");
}

}  // namespace vigil::shim

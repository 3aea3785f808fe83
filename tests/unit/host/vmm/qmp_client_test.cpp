// The client against a real socket whose other end speaks QMP as QEMU does, or breaks it.
#include "host/async/unix_listener.hpp"
#include "host/vmm/qemu/qmp_client.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>

namespace asio = boost::asio;
namespace vigil::vmm {
using namespace vigil::vmm::qemu;

using vigil::test::pump_until;

namespace {

constexpr const char* greeting = R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}})" "\r\n";

/// A monitor whose words the test decides.
class Monitor {
public:
  Monitor() : listener_(std::move(*async::listen_unix(path(), 0600, 1))) {}
  std::string path() const { return (directory_.path() / "qmp.sock").string(); }
  /// True once somebody has come.
  bool accept() {
    if (!peer_) peer_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    return static_cast<bool>(peer_);
  }
  void say(const std::string& text) { REQUIRE(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())); }
  void hang_up() { peer_.reset(); }
  const std::string& heard() {
    char chunk[4096];
    for (ssize_t got = 0; (got = ::recv(peer_.get(), chunk, sizeof(chunk), MSG_DONTWAIT)) > 0;) heard_.append(chunk, static_cast<std::size_t>(got));
    return heard_;
  }
  bool hears(const std::string& text) { return heard().find(text) != std::string::npos; }

private:
  test::TemporaryDirectory directory_;
  UniqueFd listener_, peer_;
  std::string heard_;
};

struct Fixture {
  Fixture() : client(io.get_executor(), [this](VmmEvent event) { events.push_back(std::move(event)); }) {}
  ~Fixture() {
    auto stopped = asio::co_spawn(io, [this] { return client.stop(); }, asio::use_future);
    io.restart();
    io.run_for(test::patience);
  }

  std::future<Result<void>> begin_open() {
    auto opened = asio::co_spawn(io, [this] { return client.open(monitor.path()); }, asio::use_future);
    REQUIRE(pump_until(io, [this] { return monitor.accept(); }));
    return opened;
  }

  /// Negotiates as QEMU does; the client's first id is 1.
  void open() {
    auto opened = begin_open();
    monitor.say(greeting);
    REQUIRE(pump_until(io, [this] { return monitor.hears("qmp_capabilities"); }));
    monitor.say("{\"return\": {}, \"id\": 1}\r\n");
    REQUIRE(pump_until(io, [&opened] { return is_ready(opened); }));
    REQUIRE(opened.get());
  }

  template <class T>
  static bool is_ready(std::future<T>& future) { return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }

  std::future<Result<std::string>> ask(const std::string& command) {
    return asio::co_spawn(io, [this, command] { return client.execute(command); }, asio::use_future);
  }

  asio::io_context io{1};
  Monitor monitor;
  std::vector<VmmEvent> events;
  QmpClient client;
};

}  // namespace

TEST_CASE("qmp client: negotiates, and replies find their askers whatever comes between", "[host][vmm]") {
  Fixture fixture;
  fixture.open();
  CHECK(fixture.client.version() == "7.2.22");
  auto first = fixture.ask("query-status");
  auto second = fixture.ask("stop");
  REQUIRE(pump_until(fixture.io, [&] { return fixture.monitor.hears("\"id\":3"); }));
  fixture.monitor.say("{\"event\": \"STOP\"}\r\n{\"return\": {}, \"id\": 3}\r\n{\"return\": {\"status\":");
  REQUIRE(pump_until(fixture.io, [&] { return Fixture::is_ready(second); }));
  CHECK_FALSE(Fixture::is_ready(first));   // its reply came by half
  fixture.monitor.say(" \"paused\"}, \"id\": 2}\r\n");
  REQUIRE(pump_until(fixture.io, [&] { return Fixture::is_ready(first); }));
  CHECK(*first.get() == "{\"status\":\"paused\"}");
  CHECK(*second.get() == "{}");
  CHECK(fixture.events == std::vector<VmmEvent>{PauseSeen{}});
}

TEST_CASE("qmp client: a refused command is an error with QEMU's words", "[host][vmm]") {
  Fixture fixture;
  fixture.open();
  auto answer = fixture.ask("fly");
  REQUIRE(pump_until(fixture.io, [&] { return fixture.monitor.hears("fly"); }));
  fixture.monitor.say("{\"id\": 2, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}\r\n");
  REQUIRE(pump_until(fixture.io, [&] { return Fixture::is_ready(answer); }));
  CHECK(answer.get().error() == Error(Errc::invalid, "QMP: CommandNotFound: no"));
}

TEST_CASE("qmp client: the guest's end is told, then the loss of QEMU, also to who waits", "[host][vmm]") {
  Fixture fixture;
  fixture.open();
  auto waiting = fixture.ask("quit");
  REQUIRE(pump_until(fixture.io, [&] { return fixture.monitor.hears("quit"); }));
  fixture.monitor.say("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\r\n");
  fixture.monitor.hang_up();
  REQUIRE(pump_until(fixture.io, [&] { return Fixture::is_ready(waiting) && fixture.events.size() == 2; }));
  CHECK(waiting.get().error().code() == Errc::unavailable);
  CHECK(fixture.events[0] == VmmEvent(ShutdownSeen{true, "guest-shutdown"}));
  CHECK(std::holds_alternative<ControlLost>(fixture.events[1]));
  auto later = fixture.ask("query-status");
  REQUIRE(pump_until(fixture.io, [&] { return Fixture::is_ready(later); }));
  CHECK(later.get().error().code() == Errc::unavailable);
}

TEST_CASE("qmp client: garbage and endless lines close the connection", "[host][vmm]") {
  Fixture fixture;
  fixture.open();
  SECTION("garbage") { fixture.monitor.say("Segmentation fault\r\n"); }
  SECTION("a line without end") {
    for (int i = 0; i < 20 && fixture.events.empty(); ++i) {
      fixture.monitor.say(std::string(64 << 10, ' '));
      (void)pump_until(fixture.io, [&] { return !fixture.events.empty(); }, std::chrono::milliseconds(50));
    }
  }
  REQUIRE(pump_until(fixture.io, [&] { return !fixture.events.empty(); }));
  const auto* lost = std::get_if<ControlLost>(&fixture.events[0]);
  REQUIRE(lost);
  CHECK(lost->error.code() == Errc::protocol);
}

TEST_CASE("qmp client: a monitor that is not there, or hangs up before its greeting, is unavailable", "[host][vmm]") {
  Fixture fixture;
  auto nowhere = asio::co_spawn(fixture.io, [&fixture] { return fixture.client.open("/nonexistent/qmp.sock"); }, asio::use_future);
  REQUIRE(pump_until(fixture.io, [&] { return Fixture::is_ready(nowhere); }));
  CHECK(nowhere.get().error().code() == Errc::unavailable);

  Fixture other;
  auto opened = other.begin_open();
  other.monitor.hang_up();
  REQUIRE(pump_until(other.io, [&] { return Fixture::is_ready(opened); }));
  CHECK(opened.get().error().code() == Errc::unavailable);
}

}  // namespace vigil::vmm

// What systemd hears of a daemon that lives, of one whose event loop hangs, and of one that stops.
#include "host/daemon/service_notice.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace vigil::daemon {

using namespace std::chrono_literals;

namespace {

struct Listener {
  test::TemporaryDirectory folder;
  std::string path = (folder.path() / "notify").string();
  UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  std::string all;

  Listener() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  }
  std::size_t count(std::string_view word) {
    char text[512];
    for (ssize_t got = 0; (got = ::recv(socket.get(), text, sizeof text, 0)) > 0;)
      all.append(text, static_cast<std::size_t>(got)).append("\n");
    std::size_t found = 0;
    for (auto at = all.find(word); at != all.npos; at = all.find(word, at + 1)) ++found;
    return found;
  }
};

}  // namespace

TEST_CASE("service notice: ready with pid and status, a watchdog from the loop, a status that has changed, an end", "[host][daemon]") {
  Listener manager;
  boost::asio::io_context io;
  const systemd::Notifier notifier(manager.path, 40ms);
  std::string status = "no VMs";
  daemon::ServiceNotice notice(io.get_executor(), notifier, [&status] { return status; });
  CHECK(manager.count("\n") == 0);   // nothing before it is ready
  notice.ready();
  CHECK(manager.count("READY=1\nMAINPID=" + std::to_string(::getpid()) + "\nSTATUS=no VMs") == 1);
  CHECK(test::pump_until(io, [&manager] { return manager.count("WATCHDOG=1") >= 3; }));
  CHECK(manager.count("STATUS=") == 1);   // told once, for it did not change
  status = "1 VM";
  CHECK(test::pump_until(io, [&manager] { return manager.count("STATUS=1 VM") == 1; }));
  const auto before = manager.count("WATCHDOG=1");
  CHECK(manager.count("WATCHDOG=1") == before);   // a loop that does not turn is silent
  notice.stopping();
  CHECK(manager.count("STOPPING=1") == 1);
  bool ended = false;
  boost::asio::co_spawn(io, notice.stop(), [&ended](std::exception_ptr) { ended = true; });
  CHECK(test::pump_until(io, [&ended] { return ended; }));
}

TEST_CASE("service notice: without a watchdog only what changes is told, without a manager nothing is done", "[host][daemon]") {
  Listener manager;
  boost::asio::io_context io;
  const systemd::Notifier notifier(manager.path), nobody;
  int looks = 0;
  daemon::ServiceNotice notice(io.get_executor(), notifier, [&looks] { return "look " + std::to_string(++looks / 3); }, 5ms);
  daemon::ServiceNotice silent(io.get_executor(), nobody, [] { return std::string("never asked"); });
  notice.ready();
  silent.ready();
  CHECK(test::pump_until(io, [&manager] { return manager.count("STATUS=look 2") == 1; }));
  CHECK(manager.count("WATCHDOG") == 0);
  CHECK(manager.count("STATUS=look 1") == 1);
  bool ended = false;
  boost::asio::co_spawn(io, notice.stop(), [&ended](std::exception_ptr) { ended = true; });
  CHECK(test::pump_until(io, [&ended] { return ended; }));
}

}  // namespace vigil::daemon

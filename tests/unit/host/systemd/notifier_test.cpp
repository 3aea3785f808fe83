// What a service manager would receive, on a socket of this test.
#include "host/systemd/notifier.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

namespace vigil::systemd {

namespace {

class Inbox {
public:
  explicit Inbox(const std::string& address) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    address.copy(name.sun_path, sizeof name.sun_path - 1);
    if (address.front() == '@') name.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0);
  }
  std::string heard() {
    char text[512];
    const ssize_t got = ::recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
    return got < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(got));
  }

private:
  UniqueFd socket_;
};

}  // namespace

TEST_CASE("notifier: what is told arrives as one datagram, by path and by abstract name", "[host][systemd]") {
  const test::TemporaryDirectory folder;
  for (const std::string& address : {(folder.path() / "notify").string(), "@vigil-test-notify-" + std::to_string(::getpid())}) {
    Inbox inbox(address);
    const Notifier notifier(address);
    CHECK(notifier.is_heard());
    REQUIRE(notifier.tell("READY=1\nSTATUS=serving"));
    CHECK(inbox.heard() == "READY=1\nSTATUS=serving");
    CHECK(inbox.heard() == "nothing");
  }
}

TEST_CASE("notifier: the variables are taken, so that no child speaks for the daemon", "[host][systemd]") {
  const test::TemporaryDirectory folder;
  const auto address = (folder.path() / "notify").string();
  Inbox inbox(address);
  ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const auto notifier = Notifier::take_from_environment();
  CHECK(notifier.watchdog() == std::chrono::seconds(30));
  REQUIRE(notifier.tell("WATCHDOG=1"));
  CHECK(inbox.heard() == "WATCHDOG=1");
  for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) CHECK(std::getenv(name) == nullptr);
  CHECK_FALSE(Notifier::take_from_environment().is_heard());
}

TEST_CASE("notifier: a watchdog of another process, or one that is no number, is nobody's", "[host][systemd]") {
  const auto watchdog_of = [](const char* microseconds, const char* pid) {
    ::setenv("WATCHDOG_USEC", microseconds, 1);
    ::setenv("WATCHDOG_PID", pid, 1);
    return Notifier::take_from_environment().watchdog();
  };
  CHECK_FALSE(watchdog_of("30000000", "1"));
  CHECK_FALSE(watchdog_of("soon", ""));
  CHECK_FALSE(watchdog_of("0", ""));
  CHECK(watchdog_of("1000000", "") == std::chrono::seconds(1));
}

TEST_CASE("notifier: without a manager nothing is told, and one that is gone is an error and no end", "[host][systemd]") {
  CHECK(Notifier().tell("READY=1"));
  CHECK(Notifier("vsock:2:1234").tell("READY=1"));             // of another kind: not spoken
  CHECK_FALSE(Notifier("vsock:2:1234").is_heard());
  CHECK_FALSE(Notifier("/nonexistent/notify").tell("READY=1"));
}

}  // namespace vigil::systemd

#include "guest/init/shutdown_signals.hpp"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <vector>

namespace vigil::guest::init {

using Kind = protocol::ByeReport::Kind;

TEST_CASE("signals: what each asks for, and who is named", "[guest][init]") {
  REQUIRE(meaning_of(SIGPWR, 0, "").kind == Kind::poweroff);
  REQUIRE(meaning_of(SIGPWR, 0, "").asked_by == "signal SIGPWR");
  REQUIRE(meaning_of(SIGUSR2, 312, "poweroff").asked_by == "pid 312 (poweroff)");
  REQUIRE(meaning_of(SIGUSR1, 5, "").kind == Kind::poweroff);
  REQUIRE(meaning_of(SIGINT, 0, "").kind == Kind::reboot);
  REQUIRE_FALSE(meaning_of(SIGINT, 0, "").host_asked);
}

TEST_CASE("signals: SIGTERM reboots only when a reboot command sent it", "[guest][init]") {
  REQUIRE(meaning_of(SIGTERM, 7, "kill").kind == Kind::poweroff);
  REQUIRE(meaning_of(SIGTERM, 7, "").kind == Kind::poweroff);
  REQUIRE(meaning_of(SIGTERM, 7, "reboot").kind == Kind::reboot);
  REQUIRE(meaning_of(SIGTERM, 7, "busybox reboot").kind == Kind::reboot);
  REQUIRE(meaning_of(SIGTERM, 7, "reboot -f").kind == Kind::reboot);
  REQUIRE(meaning_of(SIGTERM, 7, "rebooter").kind == Kind::poweroff);
}

TEST_CASE("signals: a real signal arrives with its sender", "[guest][init]") {
  guest::EventLoop loop;
  std::vector<ShutdownAsk> asks;
  const ShutdownSignals signals(loop, [&](const ShutdownAsk& ask) { asks.push_back(ask); });
  REQUIRE(::kill(::getpid(), SIGUSR2) == 0);
  for (int i = 0; i < 50 && asks.empty(); ++i) loop.run_once(std::chrono::milliseconds(20));
  REQUIRE(asks.size() == 1);
  REQUIRE(asks[0].kind == Kind::poweroff);
  REQUIRE(asks[0].asked_by == "pid " + std::to_string(::getpid()) + " (guest_tests)");   // its name, none of its arguments
}

}  // namespace vigil::guest::init

// Dates: what is set is due once, what is replaced or taken back is not.
#include "host/async/wall_timer.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/io_context.hpp>

#include <catch2/catch_test_macros.hpp>

namespace vigil::async {

using vigil::test::pump_until;

TEST_CASE("wall timer: a date is due once, one that has passed at once", "[host][async]") {
  boost::asio::io_context io;
  const SystemClock clock;
  int due = 0;
  WallTimer timer(io.get_executor(), [&] { ++due; });
  const auto date = clock.unix_us() + 20'000;
  timer.set(date);
  CHECK(due == 0);
  CHECK(pump_until(io, [&] { return due == 1; }));
  CHECK(clock.unix_us() >= date);
  CHECK_FALSE(timer.at());
  timer.set(1);
  CHECK(due == 1);   // not from inside set()
  CHECK(pump_until(io, [&] { return due == 2; }));
}

TEST_CASE("wall timer: a later date takes the place of a sooner one, and none takes it away", "[host][async]") {
  boost::asio::io_context io;
  const SystemClock clock;
  int due = 0;
  std::optional<UnixUs> then;
  WallTimer timer(io.get_executor(), [&] {
    ++due;
    then = clock.unix_us();
  });
  timer.set(clock.unix_us() + 5'000);
  const auto later = clock.unix_us() + 40'000;
  timer.set(later);
  CHECK(pump_until(io, [&] { return due == 1; }));
  CHECK(*then >= later);
  timer.set(clock.unix_us() + 1'000);
  timer.set(std::nullopt);
  WallTimer other(io.get_executor(), [&] { due += 10; });
  other.set(clock.unix_us() + 30'000);
  CHECK(pump_until(io, [&] { return due >= 10; }));
  CHECK(due == 11);
}

TEST_CASE("wall timer: none is due after its end", "[host][async]") {
  boost::asio::io_context io;
  int due = 0;
  auto timer = std::make_unique<WallTimer>(io.get_executor(), [&] { ++due; });
  timer->set(1);
  timer.reset();
  io.poll();
  CHECK(due == 0);
}

}  // namespace vigil::async

#include "guest/log/log.hpp"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <string>

namespace log = vigil::guest::log;

TEST_CASE("log: one line a fact, values quoted only where they must be", "[guest][log]") {
  REQUIRE(log::make_line("link.down", {{"err", "closed by the host"}, {"seq", 7}}) == "link.down err=\"closed by the host\" seq=7");
  REQUIRE(log::make_line("x", {{"a", ""}, {"b", "say \"hi\"\n"}}) == "x a=\"\" b=\"say \\\"hi\\\"\\x0a\"");
  REQUIRE(log::make_line("x", {{"a", std::string(5'000, 'y')}}).size() == 900);
}

TEST_CASE("log: lines for the kernel carry a level that keeps facts off the console and trouble on it", "[guest][log]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  log::use(ends[1], log::Format::kernel);
  log::info("fact");
  log::error("trouble", {{"err", "x"}});
  log::use(STDERR_FILENO, log::Format::plain);
  char bytes[256];
  const ssize_t count = ::read(ends[0], bytes, sizeof bytes);
  REQUIRE(std::string(bytes, static_cast<std::size_t>(count)) == "<7>vigil-guest: fact\n<3>vigil-guest: trouble err=x\n");
  ::close(ends[0]);
  ::close(ends[1]);
}

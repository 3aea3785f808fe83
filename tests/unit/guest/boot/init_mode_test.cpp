#include "guest/boot/init_mode.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::boot {

TEST_CASE("init mode: the agent is the init unless the image says systemd; another word is refused by name", "[guest][boot]") {
  REQUIRE(*parse_init_mode("") == InitMode::pid1);
  REQUIRE(*parse_init_mode("pid1\n") == InitMode::pid1);
  REQUIRE(*parse_init_mode("systemd\n") == InitMode::systemd);
  const auto other = parse_init_mode("openrc\n");
  REQUIRE(other.has_error());
  REQUIRE(other.error().message().find("openrc") != std::string::npos);
}

}  // namespace vigil::guest::boot

#include "guest/systemd/blockage.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::systemd {

using protocol::CauseCode;

TEST_CASE("blockage: the first unit on the way that is no milestone of every boot is named", "[guest][systemd]") {
  const Chain chain = {{7, "network-online.target", "start", "waiting"}, {8, "networkd-wait-online.service", "start", "running"}};
  const auto found = name_blockage("app.service", chain);
  REQUIRE(found.waits_for == "network-online.target");
  REQUIRE(found.cause.code == CauseCode::unit_blocked);
  REQUIRE(field_text(found.cause, "unit") == "app.service");
  REQUIRE(found.cause.evidence ==
          std::vector<std::string>{"app.service waits for network-online.target, whose start job is waiting",
                                   "network-online.target waits for networkd-wait-online.service, whose start job is running"});
}

TEST_CASE("blockage: milestones are passed over, and a device at the end is the cause", "[guest][systemd]") {
  Chain chain = {
      {1, "basic.target", "start", "waiting"}, {2, "sysinit.target", "start", "waiting"}, {3, "slow.service", "start", "running"}};
  REQUIRE(name_blockage("app.service", chain).waits_for == "slow.service");
  chain = {{1, "basic.target", "start", "waiting"},
           {2, "local-fs.target", "start", "waiting"},
           {3, "data.mount", "start", "waiting"},
           {4, "dev-vdz.device", "start", "running"}};
  const auto found = name_blockage("app.service", chain);
  REQUIRE(found.cause.code == CauseCode::unit_device_timeout);
  REQUIRE(field_text(found.cause, "device") == "/dev/vdz");
  REQUIRE(found.cause.evidence.size() == 4);
  REQUIRE(name_blockage("app.service", {{1, "basic.target", "start", "waiting"}}).waits_for == "basic.target");
}

TEST_CASE("blockage: devices are followed before what runs, what runs before what waits", "[guest][systemd]") {
  const Job waits{1, "a.service", "start", "waiting"}, milestone{2, "basic.target", "start", "waiting"},
      runs{3, "b.service", "start", "running"}, device{4, "dev-x.device", "start", "running"};
  REQUIRE(most_telling({milestone, waits}).id == 1);
  REQUIRE(most_telling({milestone, waits, runs}).id == 3);
  REQUIRE(most_telling({runs, device, waits}).id == 4);
}

}  // namespace vigil::guest::systemd

// The door: who is let in, and what is served to whom.
#include "tests/unit/host/desktop/door.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::desktop {

using namespace vigil::desktop::test_door;

TEST_CASE("desktop: a ticket lets one browser in, once, and never stays in the address", "[host][desktop]") {
  Door door;
  const auto ticket = door.ticket();
  const auto first = door.ask("/?ticket=" + ticket);
  CHECK(first.starts_with("HTTP/1.1 303"));
  CHECK(first.find("Location: /\r\n") != std::string::npos);
  CHECK(first.find("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict\r\n") != std::string::npos);
  const auto second = door.ask("/?ticket=" + ticket);
  CHECK(second.starts_with("HTTP/1.1 403"));
  CHECK(second.find("used already; type: vigil desktop vm-0123456789") != std::string::npos);
  CHECK(second.find("Set-Cookie") == std::string::npos);
  CHECK(door.ask("/?ticket=%3Cscript%3E").find("<script>") == std::string::npos);
  const auto late = door.ticket();
  door.clock.now += 61'000'000;
  CHECK(door.ask("/?ticket=" + late).find("has expired") != std::string::npos);
}

TEST_CASE("desktop: a browser that is in may open the address again without spending its ticket", "[host][desktop]") {
  Door door;
  const auto cookie = door.cookie();
  const auto ticket = door.ticket();
  CHECK(door.ask("/?ticket=" + ticket, cookie).starts_with("HTTP/1.1 303"));
  CHECK(door.ask("/?ticket=" + ticket).find("Set-Cookie") != std::string::npos);
}

TEST_CASE("desktop: the page, its parts and noVNC are served with fields that keep them to themselves", "[host][desktop]") {
  Door door;
  const auto page = door.ask("/");
  CHECK(page.starts_with("HTTP/1.1 200"));
  for (const char* const field : {"frame-ancestors 'none'", "connect-src 'self' ws://vm-0123456789.localhost:",
                                  "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "Cache-Control: no-store"})
    CHECK(page.find(field) != std::string::npos);
  CHECK(door.ask("/page.js").find("new EventSource('/view')") != std::string::npos);
  CHECK(door.ask("/page.css").starts_with("HTTP/1.1 200"));
  CHECK(door.ask("/novnc/core/rfb.js").find("text/javascript") != std::string::npos);
  CHECK(door.ask("/novnc/secret.txt").starts_with("HTTP/1.1 404"));
  CHECK(door.ask("/novnc/../desktop.key").starts_with("HTTP/1.1 404"));
  CHECK(door.ask("/novnc/%2e%2e/desktop.key").starts_with("HTTP/1.1 404"));
  CHECK(door.ask("/v1/instances").starts_with("HTTP/1.1 404"));
}

TEST_CASE("desktop: other hosts and other origins are refused before anything is looked at", "[host][desktop]") {
  Door door;
  const auto cookie = door.cookie();
  CHECK(door.ask("/", "", "evil.example").starts_with("HTTP/1.1 421"));
  CHECK(door.ask("/view", cookie, "127.0.0.1").starts_with("HTTP/1.1 421"));
  CHECK(door.ask("/view", cookie + "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403"));
  CHECK(door.ask("/view", cookie + "Sec-Fetch-Site: cross-site\r\n").starts_with("HTTP/1.1 403"));
  CHECK(door.ask("/rfb", cookie).starts_with("HTTP/1.1 403"));
  CHECK(door.ask("/rfb", cookie + "Origin: http://" + door.host() + "\r\n").starts_with("HTTP/1.1 426"));
}

TEST_CASE("desktop: views come by themselves, and only to who was let in", "[host][desktop]") {
  Door door;
  CHECK(door.ask("/view").starts_with("HTTP/1.1 401"));
  const auto cookie = door.cookie();
  Browser browser(door.port());
  browser.send("GET /view HTTP/1.1\r\nHost: " + door.host() + "\r\n" + cookie + "\r\n");
  const auto hears = [&](const std::string& text) {
    return pump_until(door.io, [&] { return browser.received().find(text) != std::string::npos; });
  };
  CHECK(hears("\"phase\":\"attach\""));
  door.guests.vm.run->services.at(ServiceName("display")).report.state = ServiceState::backoff;
  door.publish();
  CHECK(hears("\"phase\":\"waiting\""));
  door.guests.vm.removed = true;
  door.publish();
  CHECK(hears("\"phase\":\"removed\""));
  CHECK(pump_until(door.io, [&] { return browser.closed(); }));
}

TEST_CASE("desktop: a cookie outlives the daemon, a ticket does not", "[host][desktop]") {
  Door door;
  const auto cookie = door.cookie();
  const auto ticket = door.ticket();
  door.close();
  door.open();
  CHECK(door.ask("/?ticket=" + ticket).starts_with("HTTP/1.1 403"));
  Browser browser(door.port());
  browser.send("GET /view HTTP/1.1\r\nHost: " + door.host() + "\r\n" + cookie + "\r\n");
  CHECK(pump_until(door.io, [&] { return browser.received().starts_with("HTTP/1.1 200"); }));
}

TEST_CASE("desktop: without --desktop-listen nobody is invited, and with another address than the loopback's it does not start",
          "[host][desktop]") {
  Door door;
  Server closed(door.io, door.guests, door.bus, door.clock, {"", "", "", {}});
  REQUIRE(closed.listen().has_value());
  const auto invitation = closed.invite(door.guests.vm.id);
  REQUIRE_FALSE(invitation.has_value());
  CHECK(invitation.error().message().find("--desktop-listen") != std::string::npos);
  Server open_to_all(door.io, door.guests, door.bus, door.clock, {"0.0.0.0:0", (door.directory.path() / "desktop.key").string(), "", {}});
  CHECK(open_to_all.listen().error().code() == Errc::invalid);
}

}  // namespace vigil::desktop

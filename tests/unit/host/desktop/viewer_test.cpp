// One browser and one screen: bytes both ways, and every way in which it ends, with its code and its words.
#include "tests/unit/host/desktop/door.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace std::chrono_literals;
namespace vigil::desktop {

using namespace vigil::desktop::test_door;

namespace {

constexpr int binary = 2, text_frame = 1, close_frame = 8, ping = 9, pong = 10;

void check_closed(Door& door, Browser& browser, int code, const std::string& words) {
  const auto frame = door.next_frame(browser);
  CHECK(frame.opcode == close_frame);
  CHECK(frame.close_code() == code);
  INFO(frame.close_reason());
  CHECK(frame.close_reason().find(words) != std::string::npos);
  CHECK(frame.close_reason().size() <= max_reason_bytes);
}

}  // namespace

TEST_CASE("desktop: RFB passes both ways as binary messages", "[host][desktop]") {
  Door door;
  auto browser = door.websocket(door.cookie());
  auto& screen = door.screen();
  screen.say("RFB 003.008\n");
  const auto greeting = door.next_frame(*browser);
  CHECK(greeting.opcode == binary);
  CHECK(greeting.payload == "RFB 003.008\n");
  browser->send_frame(binary, "RFB 003.008\n");
  CHECK(pump_until(door.io, [&] { return screen.heard() == "RFB 003.008\n"; }));
  browser->send_frame(ping, "alive");
  CHECK(door.next_frame(*browser).opcode == pong);
  const std::string large(60'000, 'x');
  browser->send_frame(binary, large);
  CHECK(pump_until(door.io, [&] { return screen.heard().size() == 12 + large.size(); }));
  CHECK(door.server->counters().open == 1);
  browser->leave();
  CHECK(pump_until(door.io, [&] { return screen.gone() && door.server->counters().open == 0; }));
  CHECK(door.server->counters().left == 1);
}

TEST_CASE("desktop: a program may come with the ticket itself, once", "[host][desktop]") {
  Door door;
  const auto ticket = door.ticket();
  auto first = door.websocket("", "?ticket=" + ticket);
  door.screen().say("RFB");
  CHECK(door.next_frame(*first).payload == "RFB");
  auto second = door.websocket("", "?ticket=" + ticket);
  check_closed(door, *second, 4003, "used already");
  CHECK(pump_until(door.io, [&] { return second->closed(); }));
}

TEST_CASE("desktop: who was not let in is told so, with what to type", "[host][desktop]") {
  Door door;
  check_closed(door, *door.websocket(""), 4001, "type: vigil desktop vm-0123456789");
  check_closed(door, *door.websocket("Cookie: vigil_desktop=1.2.3\r\n"), 4001, "was not let in");
  const auto cookie = door.cookie();
  door.clock.now += 13ull * 3600 * 1'000'000;
  check_closed(door, *door.websocket(cookie), 4001, "has ended");
  CHECK(door.guests.services.empty());
}

TEST_CASE("desktop: a foreign origin gets no WebSocket at all", "[host][desktop]") {
  Door door;
  Browser browser(door.port());
  browser.send(
      "GET /rfb HTTP/1.1\r\nHost: " + door.host() +
      "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Origin: http://evil.example\r\n" +
      door.cookie() + "\r\n");
  CHECK(pump_until(door.io, [&] { return browser.received().starts_with("HTTP/1.1 403"); }));
}

TEST_CASE("desktop: a screen that is not there yet, and a VM without one", "[host][desktop]") {
  Door door;
  const auto cookie = door.cookie();
  auto& display = door.guests.vm.run->services.at(ServiceName("display")).report;
  display.state = ServiceState::starting;
  check_closed(door, *door.websocket(cookie), 4011, "the service display, which is starting");
  display.state = ServiceState::ready;
  door.guests.refusal = Error(Errc::unavailable, "nobody listens there");
  check_closed(door, *door.websocket(cookie), 4011, "nobody listens there");
  display.probes.front().probe = "tcp:5901";
  check_closed(door, *door.websocket(cookie), 4014, "no desktop");
  door.guests.vm.removed = true;
  check_closed(door, *door.websocket(cookie), 4004, "removed");
}

TEST_CASE("desktop: a VM has as many viewers as it may, and room again when one leaves", "[host][desktop]") {
  Limits limits;
  limits.max_viewers_of_vm = 2;
  Door door(limits);
  const auto cookie = door.cookie();
  auto first = door.websocket(cookie), second = door.websocket(cookie);
  door.screen(1);
  check_closed(door, *door.websocket(cookie), 4012, "2 viewers");
  first->leave();
  CHECK(pump_until(door.io, [&] { return door.server->counters().open == 1; }));
  auto third = door.websocket(cookie);
  door.screen(2).say("RFB");
  CHECK(door.next_frame(*third).payload == "RFB");
}

TEST_CASE("desktop: who is refused and does not go takes one of few places, until his time is over", "[host][desktop]") {
  Limits limits;
  limits.max_parting = 2;
  limits.farewell = 300ms;
  Door door(limits);
  const auto first = door.websocket(""), second = door.websocket("");   // both are told why, and neither closes
  check_closed(door, *first, 4001, "");
  CHECK(door.server->counters().parting == 2);
  Browser third(door.port());
  third.send(door.upgrade(""));
  CHECK(pump_until(door.io, [&] { return third.closed(); }));
  CHECK(third.received().find("101") == std::string::npos);
  CHECK(door.server->counters().turned_away == 1);
  const auto cookie = door.cookie();
  const auto let_in = door.websocket(cookie);   // those who may are not in their way
  door.screen(0).say("RFB");
  CHECK(door.next_frame(*let_in).payload == "RFB");
  CHECK(pump_until(door.io, [&] { return door.server->counters().parting == 0; }));
  check_closed(door, *door.websocket(""), 4001, "");
}

TEST_CASE("desktop: the end of the VM is told with its cause", "[host][desktop]") {
  Door door;
  auto browser = door.websocket(door.cookie());
  auto& screen = door.screen();
  SECTION("as an event") {
    door.guests.vm.run->end.emplace();
    door.publish();
  }
  SECTION("after its stream broke") {
    screen.break_off();
    door.io.restart();
    door.io.run_for(50ms);
    CHECK_FALSE(browser->frame());
    door.guests.vm.run->end.emplace();
    door.publish();
  }
  check_closed(door, *browser, 4010, "type: vigil ");
  CHECK(door.server->counters().closed.at("vm_ended") == 1);
}

TEST_CASE("desktop: a screen whose server ends is told as that, with its service's state when it is known", "[host][desktop]") {
  Limits limits;
  limits.verdict_wait = 300ms;
  Door door(limits);
  auto browser = door.websocket(door.cookie());
  door.screen().end();
  SECTION("nothing more is known") { check_closed(door, *browser, 4011, "ended the connection"); }
  SECTION("its service is started again") {
    door.guests.vm.run->services.at(ServiceName("display")).report.state = ServiceState::backoff;
    door.publish();
    check_closed(door, *browser, 4011, "the service display, which is backoff");
  }
}

TEST_CASE("desktop: a probe that fails for a moment does not take a screen away that works", "[host][desktop]") {
  Door door;
  auto browser = door.websocket(door.cookie());
  auto& screen = door.screen();
  door.guests.vm.run->services.at(ServiceName("display")).report.state = ServiceState::unready;
  door.publish();
  screen.say("still here");
  CHECK(door.next_frame(*browser).payload == "still here");
}

TEST_CASE("desktop: text and messages that are too large are refused", "[host][desktop]") {
  Limits limits;
  limits.max_message_bytes = 1000;
  Door door(limits);
  auto browser = door.websocket(door.cookie());
  door.screen();
  SECTION("text") {
    browser->send_frame(text_frame, "hello");
    check_closed(door, *browser, 4015, "binary");
  }
  SECTION("too large") {
    browser->send_frame(binary, std::string(2000, 'x'));
    CHECK(door.next_frame(*browser).close_code() == 1009);
  }
  CHECK(pump_until(door.io, [&] { return door.server->counters().open == 0; }));
}

TEST_CASE("desktop: a browser that does not read holds up its own screen alone, and little memory", "[host][desktop]") {
  Limits limits;
  limits.farewell = 200ms;
  Door door(limits);
  const auto cookie = door.cookie();
  auto slow = door.websocket(cookie);
  auto& screen = door.screen(0);
  std::size_t taken = 0, idle_rounds = 0;
  CHECK(pump_until(door.io, [&] {
    const auto part = screen.flood();
    taken += part;
    idle_rounds = part == 0 ? idle_rounds + 1 : 0;
    return idle_rounds > 20;
  }));
  CHECK(taken < 16'000'000);   // what the kernel's buffers hold
  auto other = door.websocket(cookie);
  door.screen(1).say("RFB");
  CHECK(door.next_frame(*other).payload == "RFB");
  door.guests.vm.run->end.emplace();   // a farewell that is not taken does not hold up the end
  door.publish();
  CHECK(pump_until(door.io, [&] { return door.server->counters().open == 0; }));
}

TEST_CASE("desktop: a browser that answers no ping is gone", "[host][desktop]") {
  Limits limits;
  limits.idle = 400ms;
  Door door(limits);
  auto browser = door.websocket(door.cookie());
  auto& screen = door.screen();
  CHECK(pump_until(door.io, [&] { return screen.gone(); }));
  CHECK(door.next_frame(*browser).opcode == ping);
}

TEST_CASE("desktop: a guest that does not answer holds up no end of the daemon", "[host][desktop]") {
  Limits limits;
  limits.farewell = 100ms;
  Door door(limits);
  door.guests.is_silent = true;
  auto browser = door.websocket(door.cookie());
  CHECK(pump_until(door.io, [&] { return door.guests.unanswered.size() == 1; }));
  door.close();
  CHECK(browser->closed());
}

TEST_CASE("desktop: a daemon that stops says so", "[host][desktop]") {
  Door door;
  auto browser = door.websocket(door.cookie());
  door.screen();
  door.close();
  std::optional<Frame> frame = browser->frame();
  REQUIRE(frame);
  CHECK(frame->close_code() == 4013);
  CHECK(frame->close_reason().find("comes back") != std::string::npos);
}

}  // namespace vigil::desktop

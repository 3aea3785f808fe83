#include "guest/readiness/x11_dialogue.hpp"
#include "tests/unit/guest/readiness/local_server.hpp"
#include "tests/unit/guest/readiness/told_bytewise.hpp"
#include "tests/unit/guest/readiness/x11_bytes.hpp"

namespace vigil::guest::readiness {
namespace {

using namespace x11_bytes;

constexpr std::uint32_t check_window = 0x400003, check_atom = 321;

service_spec::X11Probe probe_on(std::uint16_t display) {
  service_spec::X11Probe probe;
  probe.display = display;
  return probe;
}

struct Heard {
  X11Dialogue dialogue;
  std::string unread, sent;

  explicit Heard(const service_spec::X11Probe& probe) : dialogue(probe, std::string("/tmp/.X11-unix/X7")) { sent = dialogue.begin(); }
  Turn operator()(const std::string& bytes) { return told_bytewise(dialogue, unread, sent, bytes); }
};

TEST_CASE("x11: the setup is enough when nothing more is asked", "[guest][readiness]") {
  Heard hear(probe_on(7));
  CHECK(hear.sent.size() == 12);
  CHECK(hear(setup_reply(640, 480)).kind == Turn::Kind::passed);
  CHECK(hear.sent.size() == 12);
}

TEST_CASE("x11: the root's size is checked, and a resize is heard of", "[guest][readiness]") {
  service_spec::X11Probe probe = probe_on(7);
  probe.size = service_spec::ScreenSize{1280, 800};
  SECTION("as wanted") {
    Heard hear(probe);
    CHECK(hear(setup_reply(640, 480)).kind == Turn::Kind::more);
    CHECK(hear(geometry(2, 1280, 800)).kind == Turn::Kind::passed);   // it was changed between
  }
  SECTION("another, then resized") {
    Heard hear(probe);
    const Turn turn = hear(setup_reply(640, 480) + geometry(2, 640, 480));
    CHECK(turn.kind == Turn::Kind::waiting);
    REQUIRE(turn.finding);
    CHECK(turn.finding->text == "service.screen_size");
    CHECK(protocol::field_text(*turn.finding, "wanted") == "1280x800");
    CHECK(protocol::field_text(*turn.finding, "found") == "640x480");
    CHECK(hear(configure_notify(1280, 800)).kind == Turn::Kind::passed);
  }
}

TEST_CASE("x11: a window manager must have set the property on the root and on its window", "[guest][readiness]") {
  service_spec::X11Probe probe = probe_on(7);
  probe.window_manager = true;
  Heard hear(probe);
  CHECK(hear(setup_reply(640, 480)).kind == Turn::Kind::more);
  CHECK(hear(atom(2, check_atom)).kind == Turn::Kind::more);
  const Turn none = hear(no_property(3));
  CHECK(none.kind == Turn::Kind::waiting);
  CHECK(none.finding.value().text == "service.no_window_manager");
  CHECK(hear(property_notify(check_atom)).kind == Turn::Kind::more);                // asks anew: 4
  CHECK(hear(windows(4, {check_window})).kind == Turn::Kind::more);   // watches it: 5, asks it: 6
  SECTION("it names itself") { CHECK(hear(windows(6, {check_window})).kind == Turn::Kind::passed); }
  SECTION("one that has gone left its property behind") {
    CHECK(hear(message(0, 5)).kind == Turn::Kind::more);                  // BadWindow for the watch
    CHECK(hear(message(0, 6)).kind == Turn::Kind::waiting);
  }
  SECTION("it names another window") { CHECK(hear(windows(6, {0x99})).kind == Turn::Kind::waiting); }
}

TEST_CASE("x11: what is not X11, refuses or lies about its length is told", "[guest][readiness]") {
  service_spec::X11Probe probe = probe_on(7);
  probe.size = service_spec::ScreenSize{1, 1};
  const auto code_of = [&](const std::string& bytes) {
    Heard hear(probe);
    const Turn turn = hear(bytes);
    CHECK(turn.kind == Turn::Kind::failed);
    return turn.finding ? turn.finding->text : turn.seen;
  };
  CHECK(code_of("HTTP/1.1 400") == "service.wrong_protocol");
  CHECK(code_of(std::string("\x01\x00\x0c\x00\x00\x00\x00\x00", 8)) == "service.wrong_protocol");   // version 12
  CHECK(code_of(std::string("\x01\x00\x0b\x00\x00\x00\x00\x00", 8)) == "service.wrong_protocol");   // no screen
  std::string screens = setup_reply(1, 1);
  screens[29] = '\xff';   // more formats than there are bytes
  CHECK(code_of(screens) == "service.wrong_protocol");
  std::string refusal("\x00\x0d\x0b\x00\x00\x00\x04\x00", 8);
  CHECK(code_of(refusal + "No permission...") == "the display refused: No permission");
  std::string endless = message(1, 2);
  put<std::uint32_t>(endless, 4, 0xffffffff);
  CHECK(code_of(setup_reply(2, 2) + endless) == "service.wrong_protocol");
}

TEST_CASE("x11: a service on the display's port that speaks something else is named", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  if (socket.port() < 6000) SKIP("the system gave a port below the displays'");
  socket.start_listening();
  const LocalServer server(scene.loop, socket, {"HTTP/1.1 400 Bad Request\r\n\r\n"});
  service_spec::X11Probe probe = probe_on(static_cast<std::uint16_t>(socket.port() - 6000));
  probe.address = "127.0.0.1";
  scene.start_on_ourselves({probe});
  REQUIRE(scene.wait_for_finding("service.wrong_protocol"));
  CHECK(protocol::field_text(*scene.probes->finding(), "port") == std::to_string(socket.port()));
  CHECK(protocol::field_text(*scene.probes->finding(), "expected") == "x11");
}

}  // namespace
}  // namespace vigil::guest::readiness

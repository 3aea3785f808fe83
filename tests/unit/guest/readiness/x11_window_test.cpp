#include "guest/readiness/x11_window_dialogue.hpp"
#include "tests/unit/guest/readiness/fake_display.hpp"
#include "tests/unit/guest/readiness/probe_scene.hpp"
#include "tests/unit/guest/readiness/told_bytewise.hpp"

#include <functional>

namespace vigil::guest::readiness {
namespace {

using namespace x11_bytes;

constexpr std::uint32_t list_atom = 77, xterm = 0x400001, chromium = 0x600001;
constexpr std::uint8_t resource = 150;
constexpr std::uint32_t own_pid = 4711, foreign_pid = 31;

/// The display's side is the test; sequence numbers are those of our requests: 1 watches the root, 2 asks for the extension, 3 for the atom, 4 for the list.
struct Watched {
  X11WindowDialogue dialogue{std::string("/tmp/.X11-unix/X7"), [](pid_t pid) { return pid == static_cast<pid_t>(own_pid); }};
  std::string unread, sent;

  Watched() { sent = dialogue.begin(); }
  Turn operator()(const std::string& bytes) { return told_bytewise(dialogue, unread, sent, bytes); }
  Turn opened() { return (*this)(setup_reply(640, 480) + extension(2, resource) + atom(3, list_atom)); }
};

TEST_CASE("x11 window: one of its own that was there before", "[guest][readiness]") {
  Watched hear;
  CHECK(hear.opened().kind == Turn::Kind::more);
  CHECK(hear(windows(4, {xterm, chromium})).kind == Turn::Kind::more);
  CHECK(hear(process(5, xterm, foreign_pid)).kind == Turn::Kind::more);
  CHECK(hear(process(6, chromium, own_pid)).kind == Turn::Kind::passed);
}

TEST_CASE("x11 window: the display tells of one that comes; whose a window is is asked once", "[guest][readiness]") {
  Watched hear;
  hear.opened();
  CHECK(hear(windows(4, {})).seen == "no window");
  hear(property_notify(list_atom));
  CHECK(hear(windows(5, {xterm})).kind == Turn::Kind::more);
  const Turn foreign = hear(process(6, xterm, foreign_pid));
  CHECK(foreign.kind == Turn::Kind::waiting);
  CHECK(foreign.seen == "no window of its own among 1");
  CHECK(hear(property_notify(list_atom + 1)).kind == Turn::Kind::waiting);  // another property
  hear(property_notify(list_atom));
  CHECK(hear(windows(7, {xterm, chromium})).kind == Turn::Kind::more);
  CHECK(hear(process(8, chromium, own_pid)).kind == Turn::Kind::passed);
}

TEST_CASE("x11 window: what changes while it looks is looked at afterwards, once", "[guest][readiness]") {
  Watched hear;
  hear.opened();
  const auto before = hear.sent.size();
  for (int each = 0; each < 1000; ++each) CHECK(hear(property_notify(list_atom)).kind == Turn::Kind::more);
  CHECK(hear.sent.size() == before);  // a display that floods is not answered more
  CHECK(hear(windows(4, {})).kind == Turn::Kind::more);
  CHECK(hear(windows(5, {chromium}) + process(6, chromium, own_pid)).kind == Turn::Kind::passed);
}

TEST_CASE("x11 window: a window that has gone, one of another machine and a display without the extension", "[guest][readiness]") {
  Watched hear;
  SECTION("gone") {
    hear.opened();
    CHECK(hear(windows(4, {xterm}) + message(0, 5)).kind == Turn::Kind::waiting);
  }
  SECTION("of another machine: the server knows no process") {
    hear.opened();
    CHECK(hear(windows(4, {xterm}) + message(1, 5)).kind == Turn::Kind::waiting);
  }
  SECTION("without the extension") {
    const Turn turn = hear(setup_reply(640, 480) + extension(2, 0) + atom(3, list_atom));
    CHECK(turn.kind == Turn::Kind::waiting);
    CHECK(turn.seen == "the display does not say whose its windows are: it has no X-Resource extension");
  }
  SECTION("more windows said than sent") {
    hear.opened();
    std::string lie = windows(4, {xterm});
    put<std::uint32_t>(lie, 16, 1'000'000);
    CHECK(hear(lie + process(5, xterm, own_pid)).kind == Turn::Kind::passed);
  }
}

TEST_CASE("x11 window: the probe of a service passes with the first window of its processes", "[guest][readiness]") {
  ProbeScene scene;
  service_spec::X11Probe probe;
  probe.display = 251;
  probe.window = true;
  FakeDisplay display(scene.loop, "/tmp/.X11-unix/X251", [] { return static_cast<std::uint32_t>(::getpid()); });
  scene.start_on_ourselves({probe});
  CHECK_FALSE(scene.probes->all_passed());
  display.show_window();
  CHECK(scene.wait_until_passed());
}

}  // namespace
}  // namespace vigil::guest::readiness

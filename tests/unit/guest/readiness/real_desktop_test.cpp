// The probes of a browser desktop against the real programs, where they are installed.
#include "tests/unit/guest/readiness/probe_scene.hpp"

#include <algorithm>

namespace vigil::guest::readiness {
namespace {

bool is_installed(const char* program) { return access(("/usr/bin/" + std::string(program)).c_str(), X_OK) == 0; }

#define NEEDS(program) \
  if (!is_installed(program)) SKIP(std::string(program) + " is not installed (Debian package of the same name)")

/// A display that nobody has.
std::uint16_t free_display() {
  for (std::uint16_t display = 90; display < 190; ++display)
    if (access(("/tmp/.X11-unix/X" + std::to_string(display)).c_str(), F_OK) != 0 &&
        access(("/tmp/.X" + std::to_string(display) + "-lock").c_str(), F_OK) != 0)
      return display;
  SKIP("no free X display");
  return 0;
}

std::string xvfb(std::uint16_t display, const std::string& size = "640x480") {
  return "Xvfb :" + std::to_string(display) + " -screen 0 " + size + "x24 -nolisten tcp";
}

service_spec::X11Probe x11_on(std::uint16_t display, service_spec::ScreenSize size) {
  service_spec::X11Probe probe;
  probe.display = display;
  probe.size = size;
  return probe;
}

std::uint16_t unused_port() {
  const TestSocket socket;
  return socket.port();
}

TEST_CASE("real Xvfb: ready with the right size", "[guest][readiness]") {
  NEEDS("Xvfb");
  ProbeScene scene;
  const auto display = free_display();
  scene.start({x11_on(display, {640, 480})}, "exec " + xvfb(display));
  CHECK(scene.wait_until_passed());
}

TEST_CASE("real Xvfb: another size is named with both", "[guest][readiness]") {
  NEEDS("Xvfb");
  ProbeScene scene;
  const auto display = free_display();
  scene.start({x11_on(display, {1280, 800})}, "exec " + xvfb(display));
  REQUIRE(scene.wait_for_finding("service.screen_size"));
  CHECK(protocol::field_text(*scene.probes->finding(), "found") == "640x480");
}

TEST_CASE("real Xvfb: another service's display is taken, and named", "[guest][readiness]") {
  NEEDS("Xvfb");
  ProbeScene owner, other;
  const auto display = free_display();
  owner.start({x11_on(display, {640, 480})}, "exec " + xvfb(display));
  REQUIRE(owner.wait_until_passed());
  other.start({x11_on(display, {640, 480})}, "exec sleep 1000");
  REQUIRE(other.wait_for_finding("service.display_taken"));
  CHECK(protocol::field_text(*other.probes->finding(), "display") == ":" + std::to_string(display));
  CHECK(protocol::field_text(*other.probes->finding(), "holder") == "pid " + std::to_string(owner.pid));
}

TEST_CASE("real openbox: the window manager is missed, then found without asking again", "[guest][readiness]") {
  NEEDS("Xvfb");
  NEEDS("openbox");
  ProbeScene server, manager;
  const auto display = free_display();
  server.start({x11_on(display, {640, 480})}, "exec " + xvfb(display));
  REQUIRE(server.wait_until_passed());
  service_spec::X11Probe probe = x11_on(display, {640, 480});
  probe.window_manager = true;
  manager.start({probe}, "while ! test -e " + manager.file("go") + "; do sleep 0.05; done; HOME=" + manager.directory.path() +
                             " DISPLAY=:" + std::to_string(display) + " exec openbox");
  REQUIRE(manager.wait_for_finding("service.no_window_manager"));
  manager.directory.write("go", "");
  CHECK(manager.wait_until_passed());
}

TEST_CASE("real xterm: its window is told by the display, and another service's is not its own", "[guest][readiness]") {
  NEEDS("Xvfb");
  NEEDS("openbox");
  NEEDS("xterm");
  ProbeScene server, manager, other, terminal;
  const auto display = free_display();
  const std::string on_display = " HOME=" + manager.directory.path() + " DISPLAY=:" + std::to_string(display) + " exec ";
  server.start({x11_on(display, {640, 480})}, "exec " + xvfb(display));
  REQUIRE(server.wait_until_passed());
  service_spec::X11Probe managed = x11_on(display, {640, 480}), window;
  managed.window_manager = true;
  window.display = display;
  window.window = true;
  manager.start({managed}, on_display + "openbox");
  REQUIRE(manager.wait_until_passed());
  other.start({window}, on_display + "xterm");
  REQUIRE(other.wait_until_passed());
  terminal.start({window}, "while ! test -e " + terminal.file("go") + "; do sleep 0.05; done;" + on_display + "xterm");
  REQUIRE(run_until(terminal.loop, [&] {
    const auto evidence = terminal.probes->timeout_cause().evidence;
    return std::any_of(evidence.begin(), evidence.end(), [](const std::string& line) { return line.ends_with("no window of its own among 1"); });
  }));
  terminal.directory.write("go", "");
  CHECK(terminal.wait_until_passed());
}

TEST_CASE("real x11vnc and websockify: banner, and banner through the WebSocket", "[guest][readiness]") {
  NEEDS("Xvfb");
  NEEDS("x11vnc");
  NEEDS("websockify");
  ProbeScene display_scene, vnc, web;
  const auto display = free_display();
  display_scene.start({x11_on(display, {640, 480})}, "exec " + xvfb(display));
  REQUIRE(display_scene.wait_until_passed());
  const auto port = unused_port(), web_port = unused_port();
  vnc.start({service_spec::RfbProbe{port}}, "exec x11vnc -display :" + std::to_string(display) +
                                                " -forever -shared -nopw -quiet -localhost -rfbport " + std::to_string(port) +
                                                " -no6 -norc 2>/dev/null");
  REQUIRE(vnc.wait_until_passed());
  service_spec::WebsocketProbe probe;
  probe.port = web_port;
  probe.path = "/websockify";
  probe.first_bytes = "RFB 003.";
  web.start({probe}, "exec websockify 127.0.0.1:" + std::to_string(web_port) + " 127.0.0.1:" + std::to_string(port) + " 2>/dev/null");
  CHECK(web.wait_until_passed());
}

}  // namespace
}  // namespace vigil::guest::readiness

// How a browser's start went, with stand-ins for the browser, a script, and for the display.
#include "guest/signin/browser_launch.hpp"
#include "tests/unit/guest/readiness/fake_display.hpp"
#include "tests/unit/guest/streams/stage.hpp"

#include <csignal>
#include <fstream>
#include <optional>

namespace vigil::guest::signin {
namespace {

using namespace std::chrono_literals;

enum class Display { absent, without_window, with_foreign_window, with_its_window };

class Launched : public streams::Stage {
public:
  std::string launch(const std::string& browser, Display kind, std::chrono::milliseconds patience = 20s) {
    Desktop desktop;
    desktop.browser = {"/bin/sh", "-c", browser, "browser"};
    desktop.display_socket = "/tmp/vigil-launch-" + std::to_string(::getpid());
    if (kind != Display::absent)
      display.emplace(loop, desktop.display_socket, [this, kind] { return static_cast<std::uint32_t>(kind == Display::with_its_window ? launched->pid() : 1); });
    if (kind == Display::with_its_window || kind == Display::with_foreign_window) display->show_window();
    launched.emplace(sessions.host(), "browser-1", desktop, "root", "https://example.test/", patience,
                     [this](std::string problem) { told = problem; });
    until([this] { return told.has_value(); });
    return *told;
  }

  std::optional<readiness::FakeDisplay> display;
  std::optional<BrowserLaunch> launched;
  std::optional<std::string> told;
};

TEST_CASE("browser launch: a program that runs is not yet a page that can be seen", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("exec sleep 60", Display::without_window, 700ms) ==
        "the browser runs, and no window of it was seen on the display within 0 s; no window");
}

TEST_CASE("browser launch: a window of that very program is the page", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("exec sleep 60", Display::with_its_window).empty());
}

TEST_CASE("browser launch: another program's window is not", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("exec sleep 60", Display::with_foreign_window, 700ms) ==
        "the browser runs, and no window of it was seen on the display within 0 s; no window of its own among 1");
}

TEST_CASE("browser launch: one that hands the page to an open window ends with 0", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("test \"$1\" = https://example.test/", Display::without_window).empty());
}

TEST_CASE("browser launch: how it ended, and that there is no display, are problems in words", "[guest][signin]") {
  SECTION("it ended") {
    Launched scene;
    CHECK(scene.launch("echo 'cannot open display' >&2; exit 3", Display::absent) == "the browser ended with code 3: cannot open display");
  }
  SECTION("no display") {
    Launched scene;
    CHECK(scene.launch("exec sleep 60", Display::absent, 1s) ==
          "the browser runs, and no window of it was seen on the display within 1 s; No such file or directory");
  }
}

}  // namespace
}  // namespace vigil::guest::signin

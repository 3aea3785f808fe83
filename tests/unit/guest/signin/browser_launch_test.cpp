// How a browser's start went, with stand-ins for the browser and for the look at the display: scripts.
#include "guest/signin/browser_launch.hpp"
#include "tests/unit/guest/streams/stage.hpp"

#include <csignal>
#include <fstream>
#include <optional>

namespace vigil::guest::signin {
namespace {

using namespace std::chrono_literals;

class Launched : public streams::Stage {
public:
  std::string launch(const std::string& browser, const std::string& find_window, std::chrono::milliseconds patience = 20s) {
    Desktop desktop;
    desktop.browser = {"/bin/sh", "-c", browser, "browser"};
    desktop.find_window = {"/bin/sh", "-c", find_window, "find"};
    launched.emplace(sessions.host(), "browser-1", desktop, "root", "https://example.test/", patience,
                     [this](std::string problem) { told = problem; });
    until([this] { return told.has_value(); });
    return *told;
  }

  std::optional<BrowserLaunch> launched;
  std::optional<std::string> told;
};

TEST_CASE("browser launch: a program that runs is not yet a page that can be seen", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("exec sleep 60", "exec sleep 60", 700ms) ==
        "the browser runs, and no window of it was seen on the display within 0 s");
}

TEST_CASE("browser launch: a window of that very program is the page", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("exec sleep 60", "test \"$1\" -gt 1 && exec test \"$(cat /proc/$1/comm)\" != ''").empty());
}

TEST_CASE("browser launch: one that hands the page to an open window ends with 0", "[guest][signin]") {
  Launched scene;
  CHECK(scene.launch("test \"$1\" = https://example.test/", "exec sleep 60").empty());
}

TEST_CASE("browser launch: how it ended, and that nobody could look, are problems in words", "[guest][signin]") {
  SECTION("it ended") {
    Launched scene;
    CHECK(scene.launch("echo 'cannot open display' >&2; exit 3", "exec sleep 60") == "the browser ended with code 3: cannot open display");
  }
  SECTION("nobody could look") {
    Launched scene;
    CHECK(
        scene.launch("exec sleep 60", "echo 'no display' >&2; exit 1", 1s) ==
        "the browser runs, and no window of it was seen on the display within 1 s; the look for its window ended with code 1: no display");
  }
}

}  // namespace
}  // namespace vigil::guest::signin

#include "guest/signin/desktop.hpp"

#include <unistd.h>

namespace vigil::guest::signin {

namespace {
constexpr const char *display = ":1", *display_socket = "/tmp/.X11-unix/X1", *browser_wrapper = "/usr/libexec/vigil/browser";
}

std::optional<Desktop> find_desktop(const process::Account& account) {
  if (::access(display_socket, F_OK) != 0 || ::access(browser_wrapper, X_OK) != 0) return std::nullopt;
  Desktop desktop;
  desktop.env = {{"DISPLAY", display},
                 {"LANG", "C.UTF-8"},
                 {"XDG_RUNTIME_DIR", account.home + "/.run"},
                 {"DBUS_SESSION_BUS_ADDRESS", "unix:path=" + account.home + "/.run/bus"}};
  desktop.browser = {browser_wrapper, account.home + "/.browser", "--no-first-run", "--no-default-browser-check", "--password-store=basic"};
  desktop.display_socket = display_socket;
  return desktop;
}

}  // namespace vigil::guest::signin

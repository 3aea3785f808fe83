// The desktop of the user, where the image has one: its display, and how a page is opened on it.
//
// Shape:  what the image's browser profile sets up (rootfs-build/profiles/browser): display :1, the wrapper of its Chromium, which hands an address to the window that is open.
// Errors: none: without a desktop there is no display.
#pragma once

#include "guest/process/accounts.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::signin {

struct Desktop {
  std::map<std::string, std::string> env;  // for programs that want a window
  std::vector<std::string> browser;  // argv, to which the address is added
  std::string display_socket;
};

std::optional<Desktop> find_desktop(const process::Account& account);

}  // namespace vigil::guest::signin

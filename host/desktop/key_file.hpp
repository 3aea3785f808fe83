// The key that cookies of desktops are made with, kept so that pages go on after the daemon was started again.
//
// Shape:  32 random bytes, mode 0600, made when it is not there. To take every cookie back: remove the file and start the daemon again.
// Errors: Errc::invalid for a file that others may read or that has another size; else of open(2).
#pragma once

#include "shared/base/result.hpp"

#include <string>

namespace vigil::desktop {

Result<std::string> load_key(const std::string& path);

}  // namespace vigil::desktop

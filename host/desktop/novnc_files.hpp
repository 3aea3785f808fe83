// noVNC's own files as they are installed, read once: what is served is in this list, and no path of a request is ever a path of the disk.
//
// Bounds: scripts alone (*.js), at most 512 files and 8 MiB together. A directory that is not there is an empty list: the page says what is missing.
#pragma once

#include <map>
#include <string>

namespace vigil::desktop {

/// "core/rfb.js" -> its text.
std::map<std::string, std::string> read_novnc(const std::string& directory);

}  // namespace vigil::desktop

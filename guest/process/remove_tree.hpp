// A directory and all that is in it, gone; of other file systems mounted there, and of what links point to, nothing.
#pragma once

#include <string>

namespace vigil::guest::process {

/// As far as it goes: what cannot be removed stays, and what holds it.
void remove_tree(const std::string& path);

}  // namespace vigil::guest::process

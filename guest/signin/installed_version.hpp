// The version of a CLI without running it: of the npm package that its program lies in.
#pragma once

#include <string>

namespace vigil::guest::signin {

/// "" when there is none that can be read.
std::string installed_version(const std::string& program);

}  // namespace vigil::guest::signin

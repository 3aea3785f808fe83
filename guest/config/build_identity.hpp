// Which build of the agent this is, as hello and the image manifest name it.
#pragma once

#include <string>

namespace vigil::guest::config {

std::string agent_version();
/// The linker's build id of the running program in lower-case hex; empty when it was linked without one.
std::string build_id();
/// Release of the running kernel, as uname -r.
std::string kernel_release();

}  // namespace vigil::guest::config

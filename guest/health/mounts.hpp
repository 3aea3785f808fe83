// Which file systems can fill up: those that are writable and local, but for the layers of the root, which is told itself.
//
// A file system that a remote end or a process serves (nfs, fuse, 9p) is left out: statvfs on it may never return, and the agent must not wait.
// Source: proc(5) /proc/PID/mountinfo. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::health {

/// Mount points, "/" first, one a device, at most 16.
std::vector<std::string> writable_mounts(std::string_view mountinfo);

}  // namespace vigil::guest::health

// Has the kernel hand every core dump to our helper, while it holds the dead process so that /proc/PID can still be read.
//
// Why:    RLIMIT_CORE needs no change: for a pipe the kernel looks at it only to refuse a value of 1, which is how it marks helpers (core(5), fs/coredump.c).
//         A service with a limit of 0 is dumped as well. Programs that changed their user are dumped for root only, so for us (fs.suid_dumpable = 2).
// Errors: Errc::not_found for an image without the helper, Errc::unavailable for what the kernel refuses; nothing is changed then.
// Source: core(5), Documentation/admin-guide/sysctl/kernel.rst. Only for PID 1 of a VM: these settings are the whole kernel's.
#pragma once

#include "shared/base/result.hpp"

#include <chrono>
#include <string>

namespace vigil::guest::init {

inline constexpr const char* core_helper = "/usr/libexec/vigil/vigil-core";
inline constexpr const char* core_socket = "/run/vigil/core.sock";

/// What is written to kernel.core_pattern.
std::string core_pattern(std::chrono::milliseconds budget);

Result<void> route_cores(std::chrono::milliseconds budget);

}  // namespace vigil::guest::init

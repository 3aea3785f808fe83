// What Firecracker's exit codes say.
//
// Source: firecracker's FcExitCode (src/vmm/src/lib.rs).
#pragma once

#include "shared/protocol/report.hpp"

#include <string>
#include <string_view>

namespace vigil::vmm::firecracker {

/// "a system call that its seccomp filter forbids"; empty for what is no code of Firecracker's.
std::string_view meaning_of_code(int code);
/// A sentence for people; empty: the exit speaks for itself.
std::string explain_exit(const protocol::ExitStatus& exit);

}  // namespace vigil::vmm::firecracker

// Where the programs are that a VM needs.
#pragma once

#include "shared/base/result.hpp"

#include <string>
#include <vector>

namespace vigil::vmm {

bool is_program(const std::string& path);                     // a regular file that we may execute
std::string find_in_path(const std::string& name);           // absolute; empty: not there. Also looks in /usr/sbin and /sbin.

/// The first of `candidates` that is a program. Errors: Errc::not_found "<what>: looked for <candidates>".
Result<std::string> first_program(const std::string& what, const std::vector<std::string>& candidates);

/// $VIGIL_FIRECRACKER, else firecracker in PATH.
Result<std::string> find_firecracker();

/// $VIGIL_QEMU, else qemu-system-x86_64 in PATH.
Result<std::string> find_qemu();

}  // namespace vigil::vmm

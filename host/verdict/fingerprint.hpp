// What equal crashes have in common over runs and VMs, as 16 hexadecimal digits: cause, program, how it ended, and where (the innermost functions, or modules and offsets);
// without a trace the last line of stderr, numbers left out. Pids, addresses and times are no part of it.
#pragma once

#include "host/machine/vm_state.hpp"

#include <string>

namespace vigil::verdict {

std::string fingerprint(const machine::CrashRecord& crash);
/// Of a whole VM's end.
std::string fingerprint(const protocol::Cause& cause);
/// The innermost function of the program itself, or module+0xoffset; empty without a trace.
std::string place_of(const machine::CrashRecord& crash);

}  // namespace vigil::verdict

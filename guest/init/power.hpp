// The last instructions of a VM.
#pragma once

#include "shared/protocol/report.hpp"

namespace vigil::guest::init {

/// sync, unmount what can be, power off or reboot. A halted machine would look alive from outside, so there is no halt.
[[noreturn]] void end_machine(protocol::ByeReport::Kind kind);

}  // namespace vigil::guest::init

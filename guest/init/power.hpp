// The last instructions of a VM.
#pragma once

#include "guest/config/kernel_command_line.hpp"
#include "shared/protocol/report.hpp"

namespace vigil::guest::init {

/// sync, unmount what can be, power off or reboot. A halted machine would look alive from outside, so there is no halt.
[[noreturn]] void end_machine(protocol::ByeReport::Kind kind, config::PowerOff power_off);

}  // namespace vigil::guest::init

// One line for people: what the VM is, and why. Private to this folder.
#pragma once

#include "host/verdict/verdict.hpp"

#include <string>

namespace vigil::verdict {

std::string summarise(const machine::VmState& state, const Verdict& verdict);

}  // namespace vigil::verdict

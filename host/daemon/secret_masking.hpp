// Values of secrets out of what a guest reports, before it is stored: a program's last words, and what is quoted of them as evidence.
#pragma once

#include "host/machine/vm_event.hpp"

#include <map>
#include <string>

namespace vigil::daemon {

void mask_secrets(machine::EventBody& body, const std::map<std::string, std::string>& secrets);

}  // namespace vigil::daemon

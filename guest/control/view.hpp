// A diagnosis as a person reads it. Pure. What stems from services is made safe for a terminal.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace vigil::guest::control {

/// State, memory, disks, the table of services, the ports.
std::string status_text(const nlohmann::json& diagnosis);
/// The first thing that is wrong, with evidence and mend, then the others.
std::string why_text(const nlohmann::json& diagnosis);

}  // namespace vigil::guest::control

// Findings by kind of evidence; private to this folder. Each function is pure and gives what it sees, not what matters most.
#pragma once

#include "host/verdict/verdict.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vigil::verdict {

using machine::Run;
using machine::VmState;

/// Lines that fit a cause: valid UTF-8, bounded in number and length.
void add_evidence(protocol::Cause& cause, std::span<const std::string> lines);

// end_evidence.cpp: how the VMM ended.
std::optional<Finding> unasked_end(const Run& run, std::span<const std::string> console_tail);
std::optional<Finding> stopped_by_policy(const VmState& state);
std::optional<Finding> given_up(const VmState& state);  // by the restart policy
std::optional<Finding> own_end(const VmState& state);   // a guest that ended by itself, a stop that needed force, a reboot loop

// boot_evidence.cpp: the way to ready.
std::optional<Finding> failed_start(const Run& run);
std::optional<Finding> failed_stage(const Run& run);
std::optional<Finding> missed_stage(const Run& run, std::span<const std::string> console_tail);

// kernel_evidence.cpp: what the kernel printed.
std::optional<Finding> panic(const VmState& state);
std::vector<Finding> kernel_findings(const Run& run);

// service_evidence.cpp: services that are not what they should be, in the order in which they matter; and deaths that they got over.
std::vector<Finding> service_findings(const Run& run);
std::vector<Finding> crash_findings(const Run& run);
std::vector<Finding> overdue_stops(const Run& run);

// link_evidence.cpp
std::optional<Finding> unfit_agent(const Run& run);   // the only agent that dialled was refused for what it is
std::optional<Finding> unresponsive(const VmState& state);
std::optional<Finding> stuck(const VmState& state);   // unresponsive, and by its virtual processors certainly so
std::vector<Finding> surroundings(const Run& run);      // link, device process, thresholds of the guest's health, what was not let out

}  // namespace vigil::verdict

// The cause of a death together with what its trace added later: the function in which it happened.
//
// Why:    the crash report goes out at once, the trace comes later and is stored as an event of its own; the recorded cause stays as the guest gave it.
// Shape:  pure.
#pragma once

#include "host/machine/vm_state.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vigil::machine {

protocol::Cause cause_of(const CrashRecord& crash);

/// The newest of that service; nullptr: it never died.
const CrashRecord* last_crash(const Run& run, const std::string& service);

/// What the service gave as its cause, if it gave one.
std::optional<protocol::Cause> cause_of(const Run& run, const ServiceRecord& record);

/// "#0 write_header (web-server+0x1a2b)": the frames of the crashing thread, innermost first, and why they end where they do.
std::vector<std::string> trace_lines(const protocol::CrashTrace& trace, std::size_t most);

}  // namespace vigil::machine

// Whether a port of a VM can be reached now, will be, or will not: from what is known, without asking anybody.
//
// Shape:  a service that is named, or that owns the port, decides: ready goes, starting waits, failed is refused with its cause. A port that no service owns waits while
//         the VM boots and is tried after that: the guest itself knows best whether somebody listens.
// Codes:  the cause of the VM's or the service's failure; port.* for the rest.
#pragma once

#include "host/machine/vm_state.hpp"
#include "host/ports/address.hpp"
#include "host/ports/refusal.hpp"

#include <string>
#include <variant>
#include <vector>

namespace vigil::ports {

struct Go { std::uint16_t port = 0; friend bool operator==(const Go&, const Go&) = default; };
struct Wait { std::string what; friend bool operator==(const Wait&, const Wait&) = default; };
using Judgement = std::variant<Go, Wait, Refusal>;

Judgement judge(const machine::VmState& state, const Wanted& wanted);

/// The waiting has lasted as long as it may.
Refusal not_ready_in_time(const Wanted& wanted, const std::string& what, std::chrono::milliseconds waited);
/// Somebody is there, and says nothing.
Refusal not_answering(std::uint16_t port, std::chrono::milliseconds waited);
/// What dialling the guest came to.
Refusal not_reached(std::uint16_t port, const Error& error);

/// One that listens, or that a service's probes name.
struct KnownPort {
    std::uint16_t port = 0;
    std::string service, process, state;   // empty: not known, or of no service
    std::int64_t pid = 0;
    std::vector<std::string> addresses;    // empty: nobody listens yet
};
std::vector<KnownPort> known_ports(const machine::Run& run);

}  // namespace vigil::ports

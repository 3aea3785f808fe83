// What a web page in a browser on this machine may ask of the TCP door, where nothing but the machine's loopback address protects the VMs.
//
// Shape:  by host only (an origin a port of a VM, so that guests' pages cannot script each other), from the same origin or by navigation. Hosts that are not this
//         machine's own names are refused (a foreign name that was made to resolve to 127.0.0.1). Programs that are no browsers send none of these fields.
// Source: Fetch Metadata (Sec-Fetch-Site, Sec-Fetch-Mode), RFC 6454 (Origin).
#pragma once

#include "host/ports/address.hpp"

namespace vigil::ports {

/// `door_port`: of the TCP door, for the redirect from the path form to the host form. nullopt: it may.
std::optional<Refusal> browser_may_not(const http1::RequestHead& head, const Address& address, const std::string& door_port);

}  // namespace vigil::ports

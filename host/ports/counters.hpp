// What became of the requests to ports; plain numbers for whoever shows them.
//
// Shape:  every request is counted once: served, refused (by cause), or cut. Waits are counted beside, whatever came of them. Since the daemon's start.
// Thread: the event thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace vigil::ports {

struct Counters {
    std::uint64_t served = 0;                          // the guest's answer reached the client whole; tunnels when they end
    std::uint64_t upgraded = 0;                        // of these: handed over to a raw relay
    std::uint64_t waited = 0;                          // requests that came before their service was ready
    std::uint64_t waited_ms = 0, waited_ms_max = 0;    // all their waits together, and the longest
    std::map<std::string, std::uint64_t> refused;      // by code: a cause code, or the class of the error
    std::uint64_t client_left = 0, guest_broke_off = 0, stalled = 0;   // cut after the answer had begun, or by the client
    std::uint64_t bytes_to_guest = 0, bytes_to_client = 0;             // bodies and tunnels
    std::uint64_t turned_away = 0;                     // connections over the limit, half-open ones closed for newer
    std::uint64_t open_connections = 0, open_tunnels = 0;              // now
};

}  // namespace vigil::ports

// What became of the connections that VMs opened; plain numbers for whoever shows them. Since the daemon's start.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace vigil::egress {

struct Counters {
    std::uint64_t passed = 0;                        // reached the other side
    std::map<std::string, std::uint64_t> refused;    // by code: egress.denied, egress.dns_failed, ..., or the class of the error
    std::uint64_t strangers = 0;                     // connections that did not show the boot's token
    std::uint64_t bytes_out = 0, bytes_in = 0;
    std::uint64_t open = 0;                          // now
};

}  // namespace vigil::egress

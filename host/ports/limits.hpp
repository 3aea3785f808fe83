// How much clients and guests may ask of the proxy.
#pragma once

#include <chrono>
#include <cstddef>

namespace vigil::ports {

struct Limits {
    std::size_t max_connections = 1024;                    // of which half-open and idle ones make room for newer
    std::chrono::milliseconds head_deadline{10'000};       // from a request's first byte to the end of its head
    std::chrono::milliseconds idle_deadline{75'000};       // between requests of one connection
    std::chrono::milliseconds body_deadline{60'000};       // for the client's next byte of a body
    std::chrono::milliseconds answer_deadline{120'000};    // from the request's last byte to the answer's head
    std::chrono::milliseconds write_deadline{120'000};     // for one block that the client or the guest does not take
    std::chrono::milliseconds default_wait{30'000};        // for a port that is not ready yet; Prefer: wait=N overrides it
    std::chrono::milliseconds max_wait{600'000};
    std::chrono::milliseconds linger{60'000};              // of a tunnel of which one side has ended
};

inline constexpr std::size_t block_bytes = 32 * 1024;

}  // namespace vigil::ports

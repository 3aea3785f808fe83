// How much a client may ask of the server before it is answered with a problem or cut off.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace vigil::http {

struct Limits {
    std::uint32_t max_header_bytes = 16 << 10;
    std::uint64_t max_body_bytes = 1 << 20;
    std::size_t max_connections = 256;                   // of a door, event streams not counted
    std::size_t max_event_streams = 2048;                // of a door; one more is answered 503
    std::chrono::milliseconds request_deadline{10'000};  // from the first byte of a request to its last
    std::chrono::milliseconds idle_deadline{75'000};     // between requests of one connection
    std::chrono::milliseconds answer_deadline{180'000};  // from the request to its answer
    std::chrono::milliseconds write_deadline{30'000};    // for one write that the client does not take
    std::chrono::milliseconds heartbeat{15'000};         // a comment on an idle event stream
};

}  // namespace vigil::http

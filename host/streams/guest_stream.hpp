// Opens a stream into a guest.
//
// Shape:  `dial` makes the connection. On success the guest has accepted: its facts are JSON text, and chunks follow on the descriptor,
//         the first of them perhaps already in `unread`.
//         `first_chunks` go along with the opening, before the guest has answered: a round trip saved; a guest that refuses throws them away.
// Errors: Errc::unavailable: nobody is there (no device, no agent yet, it went away). A refusal of the guest comes with its own code and words. Errc::protocol, Errc::timeout.
// Source: CONTRACTS "Streams"; tech §1.3 (one write for CONNECT; every failure is an end of file).
#pragma once

#include "host/streams/dial.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace vigil::streams {

struct GuestStream {
    UniqueFd fd;                 // non-blocking
    std::string facts_json;
    std::string unread;
    std::shared_ptr<const void> in_use{};   // held as long as the stream is, by whoever carries it: the VM is in use
};

boost::asio::awaitable<Result<GuestStream>> open_guest_stream(Dial dial, std::string opening_json, std::chrono::milliseconds deadline,
                                                              std::string first_chunks);

}  // namespace vigil::streams

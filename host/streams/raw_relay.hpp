// Raw bytes both ways between a socket and a TCP connection inside a VM: after an upgrade, after CONNECT.
//
// Shape:  each side's end of data is passed on as such. Over when both have ended, when one is broken, or when the second has not moved for `linger` after the
//         first has ended. The looks see every block before it goes on and say how much of it may: a look that fails ends the relay.
#pragma once

#include "host/streams/guest_pipe.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::streams {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

struct RawRelay {
    using Look = std::function<Result<std::size_t>(std::string_view)>;
    StreamSocket* socket = nullptr;       // both outlive the relay
    GuestPipe* guest = nullptr;
    std::string for_guest, for_socket;    // came already
    Look to_guest, from_guest;            // empty: all of it
    std::chrono::milliseconds linger{60'000};
};

boost::asio::awaitable<void> relay_raw(RawRelay relay);

}  // namespace vigil::streams

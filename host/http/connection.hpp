// One client's connection: requests one after the other, each answered before the next is read.
#pragma once

#include "host/http/limits.hpp"
#include "host/http/router.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <functional>
#include <optional>

namespace vigil::http {

/// Asked with a request's head before its body is read: an answer ends the connection with it.
using Doorkeeper = std::function<std::optional<Response>(const Request&)>;

/// How many there are at a door. A connection that follows events is counted with those alone: thousands may wait for news and none of them is in a request's way.
struct Crowd {
    std::size_t connections = 0, event_streams = 0;
};

/// Ends when the client leaves, breaks HTTP or a limit, or an event stream ends. What is referred to outlives it; `doorkeeper` may be empty; `crowd` counts this
/// connection before and after.
boost::asio::awaitable<void> serve_connection(boost::asio::generic::stream_protocol::socket socket, const Router& router, const Limits& limits,
                                              const Doorkeeper& doorkeeper, Crowd& crowd);

}  // namespace vigil::http

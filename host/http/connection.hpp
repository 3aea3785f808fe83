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

/// Ends when the client leaves, breaks HTTP or a limit, or an event stream ends. `router`, `limits` and `doorkeeper` (may be empty) outlive it.
boost::asio::awaitable<void> serve_connection(boost::asio::generic::stream_protocol::socket socket, const Router& router, const Limits& limits,
                                              const Doorkeeper& doorkeeper);

}  // namespace vigil::http

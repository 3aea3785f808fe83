// One client's connection: requests one after the other, each answered before the next is read.
#pragma once

#include "host/http/limits.hpp"
#include "host/http/router.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace vigil::http {

/// Ends when the client leaves, breaks HTTP or a limit, or an event stream ends. `router` and `limits` outlive it.
boost::asio::awaitable<void> serve_connection(boost::asio::local::stream_protocol::socket socket, const Router& router, const Limits& limits);

}  // namespace vigil::http

// One client's connection: requests one after the other, each through an Exchange.
#pragma once

#include "host/ports/exchange.hpp"

#include <list>

namespace vigil::ports {

/// Connections that have not said what they want: the oldest first. They make room for newer ones when there are too many.
using Quiet = std::list<Client*>;

/// Ends when the client leaves, breaks HTTP or a limit. `proxy` and `quiet` outlive it.
boost::asio::awaitable<void> serve_client(Client client, Proxy* proxy, Quiet* quiet);

/// The one who says why a head was not taken: 400, 408, 431, 505; nullopt: nobody is there to be told.
std::optional<Refusal> refusal_of_head(const Error& error);

}  // namespace vigil::ports

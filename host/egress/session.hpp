// One connection out of a VM, from the agent's hello to its end.
//
// Shape:  hello with the boot's token; the proxy request; policy, names, addresses; then bytes both ways. A refusal is an answer with a problem document and its cause
//         code, and is told to the owner.
// Thread: the event thread. Everything in SessionHost outlives it.
#pragma once

#include "host/egress/counters.hpp"
#include "host/egress/judge.hpp"
#include "host/egress/lookups.hpp"
#include "host/streams/raw_relay.hpp"
#include "shared/base/ids.hpp"


#include <functional>
#include <memory>
#include <string>

namespace vigil::egress {

struct Limits {
    std::chrono::milliseconds hello_deadline{10'000}, head_deadline{30'000}, resolve_deadline{15'000}, connect_deadline{15'000}, upstream_deadline{30'000}, linger{60'000}, farewell_deadline{5'000};
    std::size_t max_connections = 256;   // of one VM; sixteen more are told so, and what comes then is hung up
    std::size_t max_tries = 4;           // addresses of one name
};

/// What sessions share, of one run.
struct SessionHost {
    const machine::EgressPolicy& policy;
    const Limits& limits;
    Counters& counters;
    std::shared_ptr<Lookups> lookups;
    std::string credentials_dir;
    std::function<bool(const BootId& boot, const std::string& token)> is_agent;
    std::function<void(const protocol::Cause& cause)> refused;
};

/// Whether the VM may have one more connection; of one that it may not have the refusal has to be told.
enum class Room { free, none };

boost::asio::awaitable<void> serve_connection(streams::StreamSocket socket, SessionHost* host, Room room);

}  // namespace vigil::egress

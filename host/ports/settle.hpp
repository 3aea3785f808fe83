// Waits until a port can be reached, will not be, or the time is up. On the event bus: a new fact about the VM is looked at, nothing else is.
#pragma once

#include "host/events/event_bus.hpp"
#include "host/ports/guests.hpp"
#include "host/ports/judge.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace vigil::ports {

struct Settled {
    std::variant<Go, Refusal> judgement;
    std::chrono::milliseconds waited{0};   // 0: nothing had to be waited for
};

/// `guests` and `bus` outlive it.
boost::asio::awaitable<Settled> settle(const Guests* guests, events::EventBus* bus, InstanceId id, Wanted wanted, std::chrono::milliseconds limit);

/// The stream to a port; `first`: as Guests::open_port. Errors: those of the guest. What comes after the caller has gone is closed.
boost::asio::awaitable<Result<streams::GuestStream>> dial(Guests* guests, InstanceId id, std::uint16_t port, std::string first);

}  // namespace vigil::ports

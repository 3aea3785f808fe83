// One request from its head to the end of its answer, and the raw relay that it may become.
//
// Shape:  made by a connection with the head that it has read and the bytes that came after it; run() says whether the connection can take another request.
//         First the port is settled and dialled, then both bodies pass at the same time, each at the pace of its receiver.
// Thread: the event thread. Everything named in Proxy outlives it.
#pragma once

#include "host/async/watchdog.hpp"
#include "host/events/event_bus.hpp"
#include "host/ports/counters.hpp"
#include "host/ports/forward.hpp"
#include "host/ports/guests.hpp"
#include "host/ports/judge.hpp"
#include "host/ports/limits.hpp"
#include "host/streams/guest_pipe.hpp"
#include "host/streams/raw_relay.hpp"

#include <optional>
#include <string>

namespace vigil::ports {

using streams::StreamSocket;

/// What all requests share.
struct Proxy {
    Guests& guests;
    events::EventBus& bus;
    Limits limits;
    Counters counters;
};

/// One client, as its connection holds it.
struct Client {
    StreamSocket socket;
    std::string unread;        // came already, after what was taken
    std::string peer;          // its address, or "unix"
    std::string door_port;     // of the TCP door; empty: the Unix socket
    std::optional<uid_t> uid{};   // of the Unix socket's other end
};

class Exchange {
  public:
    Exchange(Proxy& proxy, Client& client, http1::RequestHead head);
    /// True: the client may send its next request.
    boost::asio::awaitable<bool> run();

  private:
    enum class End { finished, upgraded, client_left, client_broke, guest_broke, stalled };
    struct Reached {
        bool client_left = false;
        std::optional<Refusal> refusal;
    };

    std::optional<Refusal> read_head();
    boost::asio::awaitable<Reached> reach();
    boost::asio::awaitable<Reached> settle_and_dial();
    boost::asio::awaitable<Reached> until_client_left();
    boost::asio::awaitable<void> client_leaves();

    boost::asio::awaitable<End> transfer();
    boost::asio::awaitable<End> pump_up();
    boost::asio::awaitable<bool> to_guest(std::string bytes);
    boost::asio::awaitable<End> pump_down();
    boost::asio::awaitable<Result<http1::ResponseHead>> read_answer_head();
    boost::asio::awaitable<End> pass_answer(http1::ResponseHead head);
    boost::asio::awaitable<End> pass_answer_body(http1::Framing framing);
    boost::asio::awaitable<bool> to_client(std::string bytes);
    boost::asio::awaitable<End> stall();
    std::optional<End> look_at_blocked_write();
    bool client_hung_up();
    streams::RawRelay tunnel();

    boost::asio::awaitable<bool> refuse(Refusal refusal);
    boost::asio::awaitable<bool> conclude(End end);
    Refusal refusal_of(End end) const;
    End broke(Error error);

    Proxy& proxy_;
    Client& client_;
    http1::RequestHead head_;
    Address address_;
    Asked asked_;
    std::uint16_t port_ = 0;
    std::optional<streams::GuestPipe> guest_;
    async::Watchdog watchdog_;
    std::string from_guest_;             // read, not passed on yet
    Error problem_;
    async::Side stalled_ = async::Side::guest;
    std::optional<std::chrono::steady_clock::time_point> write_due_;   // of the block that the service is given
    bool request_sent_ = false, answer_begun_ = false, keeps_ = false;
};

}  // namespace vigil::ports

// One connection of a guest: frames in, frames out, until it ends. What the messages mean is the listener's affair.
//
// Shape:  hello first, within its deadline; then reports, pings, pongs and replies in any order. Malformed or oversized input ends this session alone.
// Bounds: a report rate; acknowledgements collapse to the newest; 64 other messages may wait to be written, then the session ends.
#pragma once

#include "host/async/notification.hpp"
#include "host/async/task_group.hpp"
#include "host/guest_link/rate_limit.hpp"
#include "shared/base/clock.hpp"
#include "shared/framing/frame.hpp"
#include "shared/protocol/cause.hpp"
#include "shared/protocol/codec.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace vigil::guest_link {

struct SessionLimits {
    std::uint64_t reports_per_second = 2'000;
    std::chrono::milliseconds hello_deadline{10'000};
    std::chrono::milliseconds ping_interval{5'000};
    std::chrono::milliseconds flood_calm{10'000};  // a flood is over after that long within the rate
};

/// Why a session ended; `cause` when the host ended it: link.protocol.
struct SessionEnd {
    std::string reason;
    std::optional<protocol::Cause> cause;
};

/// Guest clock + offset = host clock, within the round trip.
struct ClockSample {
    std::int64_t offset_us = 0;
    std::uint64_t rtt_us = 0;
};

enum class Flood { began, reading_again };

/// What is missing on an open link: pings since the last byte of the guest.
struct Quiet {
    std::uint64_t pings = 0;
    MonoUs heard_us = 0;             // when something came last
};

class Session;

class SessionListener {
  public:
    virtual ~SessionListener() = default;
    /// nullopt: refused (and said so by the listener); the session closes.
    virtual std::optional<protocol::Welcome> on_hello(Session& session, const BootId& boot, const protocol::Hello& hello) = 0;
    virtual void on_welcomed(Session& session) = 0;
    virtual void on_report(Session& session, protocol::Report report) = 0;
    virtual void on_clock(Session& session, ClockSample sample) = 0;
    virtual void on_reply(Session& session, protocol::Reply reply) = 0;
    virtual void on_flood(Session& session, Flood flood) = 0;
    /// A ping is due, and the one before it has not been answered, nor has anything else come.
    virtual void on_quiet(Session& session) = 0;
    virtual void on_end(Session& session, SessionEnd end) = 0;
};

class Session {
  public:
    Session(boost::asio::local::stream_protocol::socket socket, SessionLimits limits, SessionListener& listener, const Clock& clock);

    /// Until the session has ended; then on_end has been called (not when we are cancelled).
    boost::asio::awaitable<void> run();

    void acknowledge(Epoch epoch, Seq seq);
    void send(const protocol::Request& request);
    void close(std::string reason);

    const std::optional<BootId>& boot() const { return boot_; }
    Epoch epoch() const { return epoch_; }
    Quiet quiet() const { return quiet_; }
    bool is_welcome() const { return welcome_; }
    /// The guest hung up before it sent a byte, and we did not make it.
    bool left_without_a_word() const { return !heard_ && close_reason_.empty(); }

  private:
    boost::asio::awaitable<SessionEnd> read_all();
    boost::asio::awaitable<void> expect_hello();
    boost::asio::awaitable<void> write_all();
    boost::asio::awaitable<void> slow_down();
    /// nullopt: go on.
    boost::asio::awaitable<std::optional<SessionEnd>> take_frames();
    std::optional<SessionEnd> take(protocol::Message message);
    std::optional<SessionEnd> take_hello(const BootId& boot, const protocol::Hello& hello);
    void take_pong(const protocol::Pong& pong);
    std::string next_ping();
    void enqueue(std::string frame);
    std::string frame_of(decltype(protocol::Message::content) content) const;
    SessionEnd ended_by(const std::string& what) const;

    boost::asio::local::stream_protocol::socket socket_;
    SessionLimits limits_;
    SessionListener& listener_;
    const Clock& clock_;
    framing::FrameReader reader_;
    RateLimit rate_;
    std::optional<MonoUs> flood_us_;   // when it last had to be slowed down
    std::optional<BootId> boot_;
    Epoch epoch_ = 0;
    bool welcome_ = false;
    bool heard_ = false;               // a byte
    std::string close_reason_;         // set by close()
    std::deque<std::string> outgoing_;
    std::optional<std::pair<Epoch, Seq>> ack_;
    std::uint64_t ping_n_ = 0;
    Quiet quiet_;
    MonoUs ping_due_us_ = 0;
    async::Notification to_write_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::guest_link

#include "host/guest_link/session.hpp"

#include "host/async/read_some.hpp"
#include "shared/base/overloaded.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstdlib>

namespace vigil::guest_link {

namespace asio = boost::asio;
using protocol::CauseCode;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_waiting_frames = 64;
constexpr std::size_t max_error_text = 256;

SessionEnd protocol_end(const std::string& error) {
    const std::string text = error.substr(0, max_error_text);
    return {"the guest broke the protocol: " + text, protocol::make_cause(CauseCode::link_protocol, {{"error", text}})};
}

}  // namespace

Session::Session(asio::local::stream_protocol::socket socket, SessionLimits limits, SessionListener& listener, const Clock& clock)
    : socket_(std::move(socket)),
      limits_(limits),
      listener_(listener),
      clock_(clock),
      rate_(limits.reports_per_second, clock.mono_us()),
      to_write_(socket_.get_executor()),
      tasks_(socket_.get_executor()) {}

asio::awaitable<void> Session::run() {
    std::exception_ptr cancelled;
    SessionEnd end;
    try {
        end = co_await read_all();
    } catch (...) {
        cancelled = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    boost::system::error_code ignored;
    socket_.close(ignored);
    co_await tasks_.stop();
    if (cancelled) std::rethrow_exception(cancelled);
    listener_.on_end(*this, std::move(end));
}

asio::awaitable<SessionEnd> Session::read_all() {
    tasks_.spawn("link.hello", [this] { return expect_hello(); });
    for (;;) {
        auto got = co_await async::read_some(socket_);
        const auto& [failure, bytes] = got;
        if (failure) co_return ended_by(failure == asio::error::eof ? "closed by the guest" : failure.message());
        heard_ = true;
        quiet_ = {0, clock_.mono_us()};
        reader_.feed(bytes);
        auto end = co_await take_frames();
        if (end) co_return std::move(*end);
    }
}

/// Whoever connects and says nothing does not stay.
asio::awaitable<void> Session::expect_hello() {
    asio::steady_timer deadline(socket_.get_executor(), limits_.hello_deadline);
    co_await deadline.async_wait(asio::use_awaitable);
    if (!welcome_) close("no hello within its deadline");
}

SessionEnd Session::ended_by(const std::string& what) const { return {close_reason_.empty() ? what : close_reason_, std::nullopt}; }

asio::awaitable<std::optional<SessionEnd>> Session::take_frames() {
    for (;;) {
        auto frame = reader_.next();
        if (!frame) co_return protocol_end(frame.error().message());
        if (!*frame) co_return std::nullopt;
        auto message = protocol::decode(**frame);
        if (!message) co_return protocol_end(message.error().message());
        if (!rate_.take(clock_.mono_us())) co_await slow_down();
        auto end = take(std::move(*message));
        if (end) co_return end;
        if (!socket_.is_open()) co_return ended_by("closed");
    }
}

/// Not reading is what bounds the guest: its frames stay in its own outbox.
asio::awaitable<void> Session::slow_down() {
    const MonoUs now = clock_.mono_us();
    const auto calm = static_cast<MonoUs>(std::chrono::microseconds(limits_.flood_calm).count());
    const bool is_new = !flood_us_ || now - *flood_us_ > calm;
    flood_us_ = now;
    if (is_new && welcome_) listener_.on_flood(*this, Flood::began);
    asio::steady_timer pause(socket_.get_executor(), rate_.pause(now));
    co_await pause.async_wait(as_result);
    rate_.take(clock_.mono_us());
    if (is_new && welcome_ && socket_.is_open()) listener_.on_flood(*this, Flood::reading_again);
}

std::optional<SessionEnd> Session::take(protocol::Message message) {
    if (!welcome_) {
        const auto* hello = std::get_if<protocol::Hello>(&message.content);
        if (hello == nullptr) return protocol_end("the first message is not a hello");
        return take_hello(message.boot, *hello);
    }
    if (message.boot != *boot_) return protocol_end("a message of boot " + message.boot.value() + " on a link of boot " + boot_->value());
    using End = std::optional<SessionEnd>;
    return std::visit(
        Overloaded{[&](protocol::Report& report) -> End {
                       if (report.epoch > epoch_) return protocol_end("a report of epoch " + std::to_string(report.epoch));
                       listener_.on_report(*this, std::move(report));
                       return std::nullopt;
                   },
                   [&](const protocol::Ping& ping) -> End {
                       enqueue(frame_of(protocol::Pong{ping.n, ping.sender_us, clock_.mono_us()}));
                       return std::nullopt;
                   },
                   [&](const protocol::Pong& pong) -> End { return take_pong(pong), std::nullopt; },
                   [&](protocol::Reply& reply) -> End { return listener_.on_reply(*this, std::move(reply)), std::nullopt; },
                   [](const protocol::Hello&) -> End { return protocol_end("a second hello"); },
                   [](const protocol::Welcome&) -> End { return protocol_end("a welcome from a guest"); },
                   [](const protocol::Ack&) -> End { return protocol_end("an ack from a guest"); },
                   [](const protocol::Request&) -> End { return protocol_end("a request from a guest"); }},
        message.content);
}

std::optional<SessionEnd> Session::take_hello(const BootId& boot, const protocol::Hello& hello) {
    boot_ = boot;
    auto welcome = listener_.on_hello(*this, boot, hello);
    if (!welcome) return SessionEnd{"refused", std::nullopt};
    epoch_ = welcome->epoch;
    enqueue(frame_of(std::move(*welcome)));
    enqueue(next_ping());  // at once: its answer shows that the guest has the token, and gives the first clock offset
    welcome_ = true;
    tasks_.spawn("link.write", [this] { return write_all(); });
    listener_.on_welcomed(*this);
    return std::nullopt;
}

std::string Session::next_ping() {
    const MonoUs now = clock_.mono_us();
    ping_due_us_ = now + static_cast<MonoUs>(std::chrono::microseconds(limits_.ping_interval).count());
    ++quiet_.pings;
    return frame_of(protocol::Ping{++ping_n_, now, clock_.unix_us()});
}

void Session::take_pong(const protocol::Pong& pong) {
    const MonoUs now = clock_.mono_us();
    if (pong.n == 0 || pong.n > ping_n_ || pong.sender_us > now) return;  // not an answer to a ping of ours: worth nothing
    const auto middle = static_cast<std::int64_t>(pong.sender_us + (now - pong.sender_us) / 2);
    const ClockSample sample{middle - static_cast<std::int64_t>(pong.answerer_us), now - pong.sender_us};
    listener_.on_clock(*this, sample);
}

void Session::acknowledge(Epoch epoch, Seq seq) {
    if (!welcome_ || seq == 0 || (ack_ && *ack_ >= std::pair(epoch, seq))) return;
    ack_ = {epoch, seq};
    to_write_.notify();
}

void Session::send(const protocol::Request& request) { enqueue(frame_of(request)); }

void Session::enqueue(std::string frame) {
    if (outgoing_.size() >= max_waiting_frames) return close("the guest does not read");
    outgoing_.push_back(std::move(frame));
    to_write_.notify();
}

std::string Session::frame_of(decltype(protocol::Message::content) content) const {
    return framing::make_frame(protocol::encode(protocol::Message{*boot_, epoch_, std::move(content)}));
}

void Session::close(std::string reason) {
    if (close_reason_.empty()) close_reason_ = std::move(reason);
    boost::system::error_code ignored;
    socket_.close(ignored);  // the reader ends with close_reason_
}

asio::awaitable<void> Session::write_all() {
    for (;;) {
        std::string bytes;
        for (auto& frame : outgoing_) bytes += frame;
        outgoing_.clear();
        if (ack_) bytes += framing::make_frame(protocol::encode(protocol::Message{*boot_, ack_->first, protocol::Ack{ack_->second}}));
        ack_.reset();
        if (clock_.mono_us() >= ping_due_us_) {
            if (quiet_.pings > 0) listener_.on_quiet(*this);
            bytes += next_ping();
        }
        if (!bytes.empty()) {
            auto written = co_await asio::async_write(socket_, asio::buffer(bytes), as_result);
            if (std::get<0>(written)) co_return close("write: " + std::get<0>(written).message());
            continue;
        }
        const MonoUs now = clock_.mono_us();
        const MonoUs left_us = ping_due_us_ > now ? ping_due_us_ - now : 0;
        const std::chrono::milliseconds wait(left_us / 1000 + 1);
        co_await to_write_.wait_for(wait);
    }
}

}  // namespace vigil::guest_link

#include "host/guest_link/guest_link.hpp"

#include "host/async/unix_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <sys/random.h>
#include <unistd.h>

#include <cstdlib>

namespace vigil::guest_link {

namespace asio = boost::asio;

namespace {

constexpr int listen_backlog = 128;
constexpr unsigned socket_mode = 0600;
constexpr std::size_t max_sessions = 32;
constexpr MonoUs refusal_quiet_us = 10'000'000;   // one reason is told at most that often
constexpr std::size_t max_refusal_reasons = 64;
constexpr std::size_t max_offered = 8;
constexpr std::size_t token_bytes = 32;

std::string make_token() {
    unsigned char bytes[token_bytes];
    if (::getrandom(bytes, sizeof(bytes), 0) != static_cast<ssize_t>(sizeof(bytes))) std::abort();
    constexpr char digits[] = "0123456789abcdef";
    std::string token;
    for (const unsigned char byte : bytes) {
        token.push_back(digits[byte >> 4]);
        token.push_back(digits[byte & 15]);
    }
    return token;
}

}  // namespace

GuestLink::GuestLink(asio::io_context& io, LinkOptions options, LinkOwner& owner, const Clock& clock)
    : io_(io),
      options_(std::move(options)),
      owner_(owner),
      clock_(clock),
      acceptor_(io),
      session_ended_(io.get_executor()),
      tasks_(io.get_executor()) {}

Result<void> GuestLink::listen() {
    TRY(listener, async::listen_unix(options_.socket_path, socket_mode, listen_backlog));
    boost::system::error_code failure;
    acceptor_.assign(asio::local::stream_protocol(), listener.get(), failure);
    if (failure) return Error(Errc::io, options_.socket_path + ": " + failure.message());
    listener.release();
    tasks_.spawn("link.accept", [this] { return accept_loop(); });
    return {};
}

asio::awaitable<void> GuestLink::accept_loop() {
    for (;;) {
        auto accepted = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
        auto& [failure, socket] = accepted;
        if (failure == asio::error::operation_aborted || !acceptor_.is_open()) co_return;
        if (failure) {
            spdlog::error("link.accept_failed path={} err=\"{}\"", options_.socket_path, failure.message());
            asio::steady_timer pause(io_, std::chrono::milliseconds(100));
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        let_in(std::move(socket));
    }
}

void GuestLink::admit(UniqueFd connection) {
    if (stopping_) return;
    Socket socket(io_);
    boost::system::error_code failure;
    socket.assign(asio::local::stream_protocol(), connection.get(), failure);
    if (failure) return spdlog::error("link.not_admitted path={} err=\"{}\"", options_.socket_path, failure.message());
    connection.release();
    let_in(std::move(socket));
}

void GuestLink::let_in(Socket socket) {
    if (sessions_.size() >= max_sessions) return refuse("more than " + std::to_string(max_sessions) + " links at once");   // closes it
    auto shared = std::make_shared<Socket>(std::move(socket));
    tasks_.spawn("link.session", [this, shared] { return serve(shared); });
}

asio::awaitable<void> GuestLink::serve(std::shared_ptr<asio::local::stream_protocol::socket> socket) {
    Session session(std::move(*socket), options_.limits, *this, clock_);
    sessions_.insert(&session);
    std::exception_ptr cancelled;
    try {
        co_await session.run();
    } catch (...) {
        cancelled = std::current_exception();
    }
    sessions_.erase(&session);
    if (current_ == &session) current_ = nullptr;
    session_ended_.notify();
    if (cancelled) std::rethrow_exception(cancelled);
}

std::optional<protocol::Welcome> GuestLink::on_hello(Session&, const BootId& boot, const protocol::Hello& hello) {
    KnownBoot known;
    known.token = owner_.check_token(boot, hello.token);
    known.bound_boot = options_.bound_boot;
    known.image_digest = options_.image_digest;
    known.image_id = options_.image_id;
    const auto admission = judge_hello(hello, boot, known);
    if (admission.cause) {
        const SessionEnd unfit{admission.reason, admission.cause};
        owner_.link_lost(unfit);
        return std::nullopt;
    }
    if (!admission.accepted) {
        refuse(admission.reason);
        return std::nullopt;
    }
    protocol::Welcome welcome;
    welcome.token = token_for(boot, hello, known.token);
    welcome.wall_unix_us = clock_.unix_us();
    welcome.config = owner_.guest_config();
    current_hello_ = hello;
    return welcome;
}

/// The token that the guest has, or has been offered; only a boot that has none gets a new one.
std::string GuestLink::token_for(const BootId& boot, const protocol::Hello& hello, TokenCheck check) {
    if (check == TokenCheck::fits) return hello.token;
    if (const auto offered = offered_.find(boot); offered != offered_.end()) return offered->second;
    if (offered_.size() >= max_offered) offered_.erase(offered_.begin());
    return offered_[boot] = make_token();
}

void GuestLink::on_welcomed(Session& session) {
    Session* const before = std::exchange(current_, &session);
    best_rtt_us_.reset();
    if (before != nullptr) {
        before->close("replaced by a newer link");
        fail_requests("the link was replaced");
    }
    owner_.link_up(*session.boot(), session.epoch(), current_hello_);
    session.acknowledge(session.epoch(), owner_.acknowledged(*session.boot(), session.epoch()));
}

/// The guest has shown that it has its token: from now on it must.
void GuestLink::bind_token(const BootId& boot) {
    const auto offered = offered_.find(boot);
    if (offered == offered_.end()) return;
    if (const auto remembered = owner_.remember_token(boot, offered->second); !remembered) {
        spdlog::error("link.token_not_kept boot={} err=\"{}\"", boot.value(), remembered.error().message());
        return;  // the next pong tries again
    }
    offered_.erase(offered);
    options_.bound_boot = boot;
}

void GuestLink::on_report(Session& session, protocol::Report report) {
    if (&session == current_) owner_.reported(std::move(report));  // of a replaced link: the guest sends it again on the new one
}

void GuestLink::on_clock(Session& session, ClockSample sample) {
    if (&session != current_) return;
    bind_token(*session.boot());
    constexpr std::uint64_t worth_telling_percent = 80;
    if (best_rtt_us_ && sample.rtt_us * 100 > *best_rtt_us_ * worth_telling_percent) return;
    best_rtt_us_ = sample.rtt_us;
    owner_.clock_synced(sample);
}

void GuestLink::on_flood(Session& session, Flood flood) {
    if (&session != current_) return;
    if (flood == Flood::reading_again) return owner_.link_up(*session.boot(), session.epoch(), current_hello_);
    const SessionEnd paused{"the guest sends more reports than its rate allows; reading pauses",
                            protocol::make_cause(protocol::CauseCode::link_flood)};
    owner_.link_lost(paused);
}

void GuestLink::on_quiet(Session& session) {
    if (&session == current_) owner_.link_quiet();
}

void GuestLink::on_reply(Session& session, protocol::Reply reply) {
    if (&session != current_) return;
    const auto id = reply.id;
    finish_request(id, std::move(reply));
}

void GuestLink::on_end(Session& session, SessionEnd end) {
    if (stopping_) return;  // it is we who hung up; the guest will find the next daemon
    const bool was_current = &session == current_;
    if (was_current) {
        current_ = nullptr;
        fail_requests(end.reason);
        owner_.link_lost(end);
    } else if (end.cause) {
        refuse(end.reason);
    } else if (session.left_without_a_word()) {
        // A busy guest gives a dial up and dials again: nobody tried anything.
    } else if (!session.is_welcome() && !session.boot()) {
        refuse("a connection without a hello: " + end.reason);
    }
}

void GuestLink::refuse(const std::string& reason) {
    const MonoUs now = clock_.mono_us();
    const auto told = refusals_.find(reason);
    if (told != refusals_.end() && now - told->second < refusal_quiet_us) return;
    if (refusals_.size() >= max_refusal_reasons) refusals_.clear();
    refusals_[reason] = now;
    owner_.link_refused(reason);
}

void GuestLink::acknowledge(const BootId& boot, Epoch epoch, Seq seq) {
    if (current_ != nullptr && current_->boot() == boot) current_->acknowledge(epoch, seq);
}

void GuestLink::break_current(std::string reason) {
    if (current_ != nullptr) current_->close(std::move(reason));
}

void GuestLink::request(std::string op, std::string args, std::chrono::milliseconds deadline, Answer answer) {
    if (current_ == nullptr) return answer(Error(Errc::unavailable, op + ": there is no link to the guest"));
    const auto id = next_request_++;
    auto timer = std::make_unique<asio::steady_timer>(io_, deadline);
    const std::weak_ptr<int> alive = alive_;
    timer->async_wait([this, alive, id, op](boost::system::error_code stopped) {
        if (!stopped && !alive.expired()) finish_request(id, Error(Errc::timeout, op + ": the guest did not answer in time"));
    });
    requests_[id] = {std::move(answer), std::move(timer)};
    const protocol::Request message{id, std::move(op), std::move(args)};
    current_->send(message);
}

void GuestLink::finish_request(std::uint64_t id, Result<protocol::Reply> result) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;
    const auto pending = std::move(found->second);
    requests_.erase(found);
    pending.answer(std::move(result));
}

void GuestLink::fail_requests(const std::string& why) {
    while (!requests_.empty()) finish_request(requests_.begin()->first, Error(Errc::unavailable, why));
}

asio::awaitable<void> GuestLink::drained(std::chrono::milliseconds limit) {
    const MonoUs until = clock_.mono_us() + static_cast<MonoUs>(std::chrono::microseconds(limit).count());
    while (!sessions_.empty()) {
        const MonoUs now = clock_.mono_us();
        if (now >= until) co_return;
        const std::chrono::milliseconds left((until - now) / 1000 + 1);
        co_await session_ended_.wait_for(left);
    }
}

asio::awaitable<void> GuestLink::stop() {
    stopping_ = true;
    boost::system::error_code ignored;
    if (acceptor_.is_open()) ::unlink(options_.socket_path.c_str());
    acceptor_.close(ignored);
    fail_requests("the link is closed");
    co_await tasks_.stop();
}

}  // namespace vigil::guest_link

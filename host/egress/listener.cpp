#include "host/egress/listener.hpp"

#include "host/async/unix_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <memory>

namespace vigil::egress {

namespace asio = boost::asio;

namespace {
constexpr int egress_backlog = 128;
constexpr unsigned egress_mode = 0600;
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::size_t told_beyond_limit = 16;
}

Listener::Listener(asio::io_context& io, std::string socket_path, machine::EgressPolicy policy, Outside& outside, EgressOwner& owner, const Clock& clock)
    : io_(io),
      socket_path_(std::move(socket_path)),
      policy_(std::move(policy)),
      outside_(outside),
      host_{policy_,
            outside.limits,
            outside.counters,
            std::make_shared<Lookups>(io.get_executor(), outside.pool),
            outside.credentials_dir,
            [&owner](const BootId& boot, const std::string& token) { return owner.is_agent(boot, token); },
            [this, &owner, &clock](const protocol::Cause& cause) {
                if (const auto count = teller_.happened(cause, clock.mono_us())) owner.egress_refused(cause, *count);
            }},
      acceptor_(io),
      tasks_(io.get_executor()) {}

Result<void> Listener::listen() {
    TRY(listener, async::listen_unix(socket_path_, egress_mode, egress_backlog));
    boost::system::error_code failure;
    acceptor_.assign(asio::local::stream_protocol(), listener.get(), failure);
    if (failure) return Error(Errc::io, socket_path_ + ": " + failure.message());
    listener.release();
    tasks_.spawn("egress.accept", [this] { return accept_loop(); });
    return {};
}

asio::awaitable<void> Listener::accept_loop() {
    for (;;) {
        auto accepted = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
        auto& [failure, socket] = accepted;
        if (failure == asio::error::operation_aborted || !acceptor_.is_open()) co_return;
        if (failure) {
            spdlog::error("egress.accept_failed path={} err=\"{}\"", socket_path_, failure.message());
            asio::steady_timer pause(io_, accept_pause);
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        let_in(std::move(socket));
    }
}

void Listener::admit(UniqueFd connection) {
    streams::StreamSocket socket(io_);
    boost::system::error_code failure;
    socket.assign(asio::generic::stream_protocol(asio::local::stream_protocol()), connection.get(), failure);
    if (failure) return spdlog::error("egress.not_admitted path={} err=\"{}\"", socket_path_, failure.message());
    connection.release();
    let_in(std::move(socket));
}

void Listener::let_in(streams::StreamSocket socket) {
    const auto limit = outside_.limits.max_connections;
    if (connections_ >= limit + told_beyond_limit) {
        ++outside_.counters.refused["too_many"];
        return;   // closes it
    }
    const auto room = connections_ >= limit ? Room::none : Room::free;
    ++connections_;
    auto shared = std::make_shared<streams::StreamSocket>(std::move(socket));
    tasks_.spawn("egress.connection", [this, shared, room] { return serve(shared, room); });
}

asio::awaitable<void> Listener::serve(std::shared_ptr<streams::StreamSocket> socket, Room room) {
    struct Leave {
        std::size_t& connections;
        ~Leave() { --connections; }
    } const leave{connections_};
    co_await serve_connection(std::move(*socket), &host_, room);
}

asio::awaitable<void> Listener::stop() {
    boost::system::error_code ignored;
    if (acceptor_.is_open()) ::unlink(socket_path_.c_str());
    acceptor_.close(ignored);
    co_await tasks_.stop();
}

}  // namespace vigil::egress

#include "host/http/server.hpp"

#include "host/async/unix_listener.hpp"
#include "host/http/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <unistd.h>

namespace vigil::http {

namespace asio = boost::asio;

namespace {
constexpr int listen_backlog = 128;
constexpr std::chrono::milliseconds out_of_descriptors_pause{100};
}  // namespace

Server::Server(asio::io_context& io, Router router, ServerOptions options)
    : io_(io), router_(std::move(router)), options_(std::move(options)), acceptor_(io), tasks_(io.get_executor()) {}

Result<void> Server::listen() {
    TRY(listener, async::listen_unix(options_.socket_path, options_.socket_mode, listen_backlog));
    boost::system::error_code failure;
    acceptor_.assign(asio::local::stream_protocol(), listener.get(), failure);
    if (failure) return Error(Errc::io, options_.socket_path + ": " + failure.message());
    listener.release();
    tasks_.spawn("http.accept", [this] { return accept_loop(); });
    return {};
}

asio::awaitable<void> Server::stop() {
    boost::system::error_code ignored;
    if (acceptor_.is_open()) ::unlink(options_.socket_path.c_str());
    acceptor_.close(ignored);
    co_await tasks_.stop();
}

asio::awaitable<void> Server::accept_loop() {
    asio::steady_timer pause(io_);
    for (;;) {
        auto accepted = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
        auto& [failure, socket] = accepted;
        if (failure == asio::error::operation_aborted || !acceptor_.is_open()) co_return;
        if (failure) {  // out of descriptors: the backlog holds them, and spinning would not free any
            spdlog::error("http.accept_failed err=\"{}\"", failure.message());
            pause.expires_after(out_of_descriptors_pause);
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        if (tasks_.size() > options_.limits.max_connections) {
            spdlog::warn("http.connection_refused connections={}", tasks_.size() - 1);
            continue;  // the socket closes here
        }
        auto shared = std::make_shared<asio::local::stream_protocol::socket>(std::move(socket));  // std::function wants a copyable lambda
        tasks_.spawn("http.connection", [this, shared] { return serve(std::move(*shared)); });
    }
}

asio::awaitable<void> Server::serve(asio::local::stream_protocol::socket socket) {
    co_await serve_connection(std::move(socket), router_, options_.limits);
}

}  // namespace vigil::http

#include "host/http/server.hpp"

#include "host/async/loopback_listener.hpp"
#include "host/async/unix_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <sys/socket.h>
#include <unistd.h>

namespace vigil::http {

namespace asio = boost::asio;

namespace {
constexpr int listen_backlog = 128;
constexpr std::chrono::milliseconds out_of_descriptors_pause{100};
}  // namespace

struct Server::Door {
    Acceptor acceptor;
    Doorkeeper doorkeeper;
    Crowd crowd{};
};

Server::Server(asio::io_context& io, Router router, ServerOptions options)
    : io_(io), router_(std::move(router)), options_(std::move(options)), tasks_(io.get_executor()) {}

Result<void> Server::listen(UniqueFd passed) {
    is_passed_ = static_cast<bool>(passed);
    if (!is_passed_ && !options_.socket_path.empty()) {
        TRY(listener, async::listen_unix(options_.socket_path, options_.socket_mode, listen_backlog));
        passed = std::move(listener);
    }
    if (passed) TRY_VOID(open_door(std::move(passed), AF_UNIX, false));
    if (options_.tcp.empty()) return {};
    if (!options_.doorkeeper) return Error(Errc::internal, "a TCP door without a doorkeeper");
    TRY(tcp, async::listen_loopback(options_.tcp, listen_backlog, "what is served would travel in the clear, so it opens to this machine alone; put a TLS proxy before it"));
    tcp_address_ = tcp.address;
    return open_door(std::move(tcp.socket), tcp.family, true);
}

Result<void> Server::open_door(UniqueFd listener, int family, bool is_guarded) {
    auto door = std::make_shared<Door>(Door{Acceptor(io_), is_guarded ? options_.doorkeeper : Doorkeeper(), {}});
    boost::system::error_code failure;
    door->acceptor.assign(asio::generic::stream_protocol(family, 0), listener.get(), failure);
    if (failure) return Error(Errc::io, "listen: " + failure.message());
    listener.release();
    doors_.push_back(door);
    tasks_.spawn("http.accept", [this, door] { return accept_loop(door); });
    return {};
}

asio::awaitable<void> Server::stop() {
    boost::system::error_code ignored;
    if (!doors_.empty() && !is_passed_ && !options_.socket_path.empty()) ::unlink(options_.socket_path.c_str());
    for (const auto& door : doors_) door->acceptor.close(ignored);
    co_await tasks_.stop();
}

asio::awaitable<void> Server::accept_loop(std::shared_ptr<Door> door) {
    asio::steady_timer pause(io_);
    for (;;) {
        Socket socket(io_);
        auto accepted = co_await door->acceptor.async_accept(socket, asio::as_tuple(asio::use_awaitable));
        const auto failure = std::get<0>(accepted);
        if (failure == asio::error::operation_aborted || !door->acceptor.is_open()) co_return;
        if (failure) {  // out of descriptors: the backlog holds them, and spinning would not free any
            spdlog::error("http.accept_failed err=\"{}\"", failure.message());
            pause.expires_after(out_of_descriptors_pause);
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        if (door->crowd.connections >= options_.limits.max_connections) {
            spdlog::warn("http.connection_refused connections={}", door->crowd.connections);
            continue;  // the socket closes here
        }
        ++door->crowd.connections;
        auto shared = std::make_shared<Socket>(std::move(socket));  // std::function wants a copyable lambda
        tasks_.spawn("http.connection", [this, shared, door] { return serve(std::move(*shared), door); });
    }
}

asio::awaitable<void> Server::serve(Socket socket, std::shared_ptr<Door> door) {
    struct Leave {
        Door& door;
        ~Leave() { --door.crowd.connections; }
    } leave{*door};
    co_await serve_connection(std::move(socket), router_, options_.limits, door->doorkeeper, door->crowd);
}

}  // namespace vigil::http

#include "host/ports/server.hpp"

#include "host/async/loopback_listener.hpp"
#include "host/async/unix_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vigil::ports {

namespace asio = boost::asio;

namespace {

constexpr int door_backlog = 512;
constexpr std::chrono::milliseconds out_of_files_pause{100};
constexpr std::string_view turned_away =
    "HTTP/1.1 503 too many connections\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

std::optional<uid_t> uid_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
    return credentials.uid;
}

}  // namespace

struct Server::Door {
    Acceptor acceptor;
    std::string port;   // of a TCP door
};

Server::Server(asio::io_context& io, Guests& guests, events::EventBus& bus, ServerOptions options)
    : io_(io), options_(std::move(options)), proxy_{guests, bus, options_.limits, {}}, tasks_(io.get_executor()) {}

Result<void> Server::listen(UniqueFd passed) {
    is_passed_ = static_cast<bool>(passed);
    if (!is_passed_) {
        TRY(listener, async::listen_unix(options_.socket_path, options_.socket_mode, door_backlog));
        passed = std::move(listener);
    }
    TRY_VOID(open_door(std::move(passed), AF_UNIX, ""));
    if (options_.tcp.empty()) return {};
    TRY(tcp, async::listen_loopback(options_.tcp, door_backlog, "there is no authentication on this door, so it opens to this machine alone"));
    tcp_address_ = tcp.address;
    return open_door(std::move(tcp.socket), tcp.family, tcp.port);
}

Result<void> Server::open_door(UniqueFd listener, int family, std::string port) {
    auto door = std::make_shared<Door>(Door{Acceptor(io_), std::move(port)});
    boost::system::error_code failure;
    door->acceptor.assign(asio::generic::stream_protocol(family, 0), listener.get(), failure);
    if (failure) return Error(Errc::io, "listen: " + failure.message());
    listener.release();
    doors_.push_back(door);
    tasks_.spawn("ports.accept", [this, door] { return accept_loop(door); });
    return {};
}

asio::awaitable<void> Server::stop() {
    boost::system::error_code ignored;
    if (!doors_.empty() && !is_passed_) ::unlink(options_.socket_path.c_str());
    for (const auto& door : doors_) door->acceptor.close(ignored);
    co_await tasks_.stop();
}

asio::awaitable<void> Server::accept_loop(std::shared_ptr<Door> door) {
    asio::steady_timer pause(io_);
    for (;;) {
        StreamSocket socket(io_);
        auto accepted = co_await door->acceptor.async_accept(socket, asio::as_tuple(asio::use_awaitable));
        const auto failure = std::get<0>(accepted);
        if (failure == asio::error::operation_aborted || !door->acceptor.is_open()) co_return;
        if (failure) {  // out of descriptors: the backlog holds them
            spdlog::error("ports.accept_failed err=\"{}\"", failure.message());
            make_room();
            pause.expires_after(out_of_files_pause);
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        take(std::move(socket), *door);
    }
}

void Server::take(StreamSocket socket, const Door& door) {
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    if (proxy_.counters.open_connections >= options_.limits.max_connections && !make_room()) {
        ++proxy_.counters.turned_away;
        (void)!::send(socket.native_handle(), turned_away.data(), turned_away.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    const int on = 1;
    if (!door.port.empty()) ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto peer = async::peer_address(socket.native_handle());
    const auto uid = door.port.empty() ? uid_of(socket.native_handle()) : std::nullopt;
    auto client = std::make_shared<Client>(Client{std::move(socket), "", peer, door.port, uid});   // std::function wants a copyable lambda
    tasks_.spawn("ports.connection", [this, client] { return serve_client(std::move(*client), &proxy_, &quiet_); });
}

/// Closes the oldest connection that has not said what it wants. False: there is none.
bool Server::make_room() {
    if (quiet_.empty()) return false;
    auto* const oldest = quiet_.front();
    quiet_.splice(quiet_.end(), quiet_, quiet_.begin());   // it takes itself out when it ends
    boost::system::error_code ignored;
    oldest->socket.close(ignored);
    ++proxy_.counters.turned_away;
    return true;
}

}  // namespace vigil::ports

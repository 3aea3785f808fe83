#include "host/ports/server.hpp"

#include "host/async/unix_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace vigil::ports {

namespace asio = boost::asio;

namespace {

constexpr int door_backlog = 512;
constexpr std::chrono::milliseconds out_of_files_pause{100};
constexpr std::string_view turned_away =
    "HTTP/1.1 503 too many connections\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

struct TcpAddress {
    sockaddr_storage address{};
    socklen_t size = 0;
};

Result<TcpAddress> parse_loopback(const std::string& text) {
    const Error wrong(Errc::invalid, text + ": not ADDRESS:PORT, as in 127.0.0.1:8090 or [::1]:8090");
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) return wrong;
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    if (failure != std::errc() || end != text.data() + text.size() || colon + 1 == text.size()) return wrong;
    const auto host = text.substr(0, colon);
    TcpAddress found;
    auto& in = reinterpret_cast<sockaddr_in&>(found.address);
    auto& in6 = reinterpret_cast<sockaddr_in6&>(found.address);
    if (host.starts_with('[') && host.ends_with(']') && ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &in6.sin6_addr) == 1) {
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(port);
        found.size = sizeof in6;
        if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr)) return found;
    } else if (::inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) {
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        found.size = sizeof in;
        if (ntohl(in.sin_addr.s_addr) >> 24 == 127) return found;
    } else {
        return wrong;
    }
    return Error(Errc::invalid, text + ": not a loopback address; there is no authentication on this door yet, so it opens to this machine alone");
}

Result<UniqueFd> listen_tcp(const std::string& text, std::string& port) {
    TRY(wanted, parse_loopback(text));
    UniqueFd listener(::socket(wanted.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) return Error::from_errno("socket", errno);
    const int on = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto* const address = reinterpret_cast<sockaddr*>(&wanted.address);
    if (::bind(listener.get(), address, wanted.size) != 0) {
        if (errno == EADDRINUSE) return Error(Errc::conflict, text + ": another process listens on it");
        return Error::from_errno("bind " + text, errno);
    }
    if (::listen(listener.get(), door_backlog) != 0) return Error::from_errno("listen " + text, errno);
    ::getsockname(listener.get(), address, &wanted.size);
    port = std::to_string(ntohs(reinterpret_cast<sockaddr_in*>(address)->sin_port));   // at the same place for IPv6
    return listener;
}

/// The client's address; "unix" for a Unix socket.
std::string peer_text(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN] = {};
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "unknown";
    if (address.ss_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(address).sin_addr, text, sizeof text);
    if (address.ss_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6&>(address).sin6_addr, text, sizeof text);
    return text[0] == '\0' ? "unix" : text;
}

}  // namespace

struct Server::Door {
    Acceptor acceptor;
    std::string port;   // of a TCP door
};

Server::Server(asio::io_context& io, Guests& guests, events::EventBus& bus, ServerOptions options)
    : io_(io), options_(std::move(options)), proxy_{guests, bus, options_.limits, {}}, tasks_(io.get_executor()) {}

Result<void> Server::listen() {
    TRY(listener, async::listen_unix(options_.socket_path, options_.socket_mode, door_backlog));
    TRY_VOID(open_door(std::move(listener), AF_UNIX, ""));
    if (options_.tcp.empty()) return {};
    std::string port;
    TRY(tcp, listen_tcp(options_.tcp, port));
    tcp_address_ = options_.tcp.substr(0, options_.tcp.rfind(':') + 1) + port;
    return open_door(std::move(tcp), options_.tcp.starts_with('[') ? AF_INET6 : AF_INET, port);
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
    if (!doors_.empty()) ::unlink(options_.socket_path.c_str());
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
    const auto peer = peer_text(socket.native_handle());
    auto client = std::make_shared<Client>(Client{std::move(socket), "", peer, door.port});   // std::function wants a copyable lambda
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

#include "host/async/loopback_listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>

namespace vigil::async {

namespace {

struct TcpAddress {
    sockaddr_storage address{};
    socklen_t size = 0;
};

Result<TcpAddress> parse_loopback(const std::string& text, const std::string& why_only) {
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
    return Error(Errc::invalid, text + ": not a loopback address; " + why_only);
}

}  // namespace

Result<LoopbackListener> listen_loopback(const std::string& text, int backlog, const std::string& why_only) {
    TRY(wanted, parse_loopback(text, why_only));
    UniqueFd listener(::socket(wanted.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) return Error::from_errno("socket", errno);
    const int on = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto* const address = reinterpret_cast<sockaddr*>(&wanted.address);
    if (::bind(listener.get(), address, wanted.size) != 0) {
        if (errno == EADDRINUSE) return Error(Errc::conflict, text + ": another process listens on it");
        return Error::from_errno("bind " + text, errno);
    }
    if (::listen(listener.get(), backlog) != 0) return Error::from_errno("listen " + text, errno);
    ::getsockname(listener.get(), address, &wanted.size);
    auto port = std::to_string(ntohs(reinterpret_cast<sockaddr_in*>(address)->sin_port));   // at the same place for IPv6
    return LoopbackListener{std::move(listener), wanted.address.ss_family, port, text.substr(0, text.rfind(':') + 1) + port};
}

std::string peer_address(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN] = {};
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "unknown";
    if (address.ss_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(address).sin_addr, text, sizeof text);
    if (address.ss_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6&>(address).sin6_addr, text, sizeof text);
    return text[0] == '\0' ? "unix" : text;
}

}  // namespace vigil::async

// Where a local service is reached.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace vigil::guest::readiness {

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

/// A listener on `address`; the any-addresses and names are reached over loopback.
Endpoint tcp_endpoint(const std::string& address, std::uint16_t port);
/// The path must fit into a socket's address (107 bytes); else the length is 0.
Endpoint unix_endpoint(const std::string& path);

}  // namespace vigil::guest::readiness

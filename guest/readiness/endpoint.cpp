#include "guest/readiness/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace vigil::guest::readiness {

Endpoint tcp_endpoint(const std::string& address, std::uint16_t port) {
  Endpoint result;
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, address.c_str(), &ipv6) == 1) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    to.sin6_addr = IN6_IS_ADDR_UNSPECIFIED(&ipv6) ? in6addr_loopback : ipv6;
    result.length = sizeof to;
    std::memcpy(&result.storage, &to, sizeof to);
    return result;
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1 || to.sin_addr.s_addr == htonl(INADDR_ANY))
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  result.length = sizeof to;
  std::memcpy(&result.storage, &to, sizeof to);
  return result;
}

Endpoint unix_endpoint(const std::string& path) {
  Endpoint result;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return result;
  std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  std::memcpy(&result.storage, &to, sizeof to);
  return result;
}

}  // namespace vigil::guest::readiness

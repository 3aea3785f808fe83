// Who listens on a TCP port, and on which address: from /proc/net/tcp and tcp6, without a connection that the service would see.
//
// Shape:  parse functions are pure; read_listeners() stops at the first row that does not listen, for the kernel prints listeners first.
// Source: proc(5) /proc/net/tcp; addresses there are words in host byte order.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::process {

struct Listener {
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};   // network byte order; the first 4 for IPv4
  std::uint16_t port = 0;
  std::uint64_t inode = 0;

  /// "127.0.0.1", "0.0.0.0", "::"
  std::string address_text() const;
  bool is_any() const;
  friend bool operator==(const Listener&, const Listener&) = default;
};

enum class AddressFamily { ipv4, ipv6 };

std::vector<Listener> parse_listeners(std::string_view text, AddressFamily family);
std::vector<Listener> read_listeners();
std::vector<Listener> read_listeners(std::uint16_t port);

/// Whether someone who connects to `wanted` reaches this listener. The any-address reaches all, "0.0.0.0" wanted is met by nothing less.
bool serves_address(const Listener& listener, const std::string& wanted);

/// Whether nobody else can listen on `wanted` while this listener is there.
bool stands_in_the_way(const Listener& listener, const std::string& wanted);

/// Which of `candidates` has the socket `inode` open.
std::optional<pid_t> find_socket_owner(std::uint64_t inode, const std::vector<pid_t>& candidates);
/// The same for many sockets in one pass; what nobody has open is left out.
std::map<std::uint64_t, pid_t> find_socket_owners(const std::set<std::uint64_t>& inodes, const std::vector<pid_t>& candidates);
/// "socket:[31]" -> 31, as the links of /proc/PID/fd read.
std::optional<std::uint64_t> parse_socket_link(std::string_view target);

}  // namespace vigil::guest::process

#include "guest/process/listeners.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vigil::guest::process {
namespace {

constexpr const char* ipv4_table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0000000000000000 100 0 0 10 0\n"
    "   2: 0100007F:0016 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 888 1 0000000000000000 20 4 30 10 -1\n";
constexpr const char* ipv6_table =
    "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n"
    "   0: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100\n"
    "   1: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100\n";

TEST_CASE("listeners: the kernel's tables are read as addresses, ports and inodes; connections are not", "[guest][process]") {
  const auto ipv4 = parse_listeners(ipv4_table, AddressFamily::ipv4);
  REQUIRE(ipv4.size() == 2);
  CHECK(ipv4[0].address_text() == "127.0.0.1");
  CHECK(ipv4[0].port == 8080);
  CHECK(ipv4[0].inode == 12345);
  CHECK_FALSE(ipv4[0].is_any());
  CHECK(ipv4[1].is_any());
  const auto ipv6 = parse_listeners(ipv6_table, AddressFamily::ipv6);
  REQUIRE(ipv6.size() == 2);
  CHECK(ipv6[0].address_text() == "::");
  CHECK(ipv6[1].address_text() == "::1");
  CHECK(ipv6[1].port == 8082);
}

TEST_CASE("listeners: damaged rows are left out", "[guest][process]") {
  for (const char* row : {"   0: 0100007:1F90 00000000:0000 0A 0:0 0:0 0 0 0 12 1\n", "   0: 0100007F 00000000:0000 0A 0:0 0:0 0 0 0 12 1\n",
                          "   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 twelve 1\n", "\n", "   0:\n", "0A 0A 0A 0A\n"})
    CHECK(parse_listeners(std::string("header\n") + row, AddressFamily::ipv4).empty());
}

TEST_CASE("listeners: whether an address serves the one asked for", "[guest][process]") {
  struct Row { AddressFamily family; const char* bound; const char* wanted; bool serves; };
  const Row row = GENERATE(Row{AddressFamily::ipv4, "127.0.0.1", "127.0.0.1", true}, Row{AddressFamily::ipv4, "0.0.0.0", "127.0.0.1", true},
                           Row{AddressFamily::ipv4, "127.0.0.1", "0.0.0.0", false}, Row{AddressFamily::ipv4, "127.0.0.1", "10.0.0.5", false},
                           Row{AddressFamily::ipv6, "::", "0.0.0.0", true}, Row{AddressFamily::ipv6, "::", "127.0.0.1", true},
                           Row{AddressFamily::ipv6, "::1", "127.0.0.1", false}, Row{AddressFamily::ipv6, "::1", "::1", true},
                           Row{AddressFamily::ipv4, "0.0.0.0", "::1", false}, Row{AddressFamily::ipv4, "127.0.0.1", "localhost", true},
                           Row{AddressFamily::ipv4, "10.0.0.5", "localhost", false});
  Listener listener;
  listener.ipv6 = row.family == AddressFamily::ipv6;
  REQUIRE(inet_pton(listener.ipv6 ? AF_INET6 : AF_INET, row.bound, listener.address.data()) == 1);
  INFO(row.bound << " for " << row.wanted);
  CHECK(serves_address(listener, row.wanted) == row.serves);
}

TEST_CASE("listeners: a real listener is found with its owner, and only while it listens", "[guest][process]") {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  const std::uint16_t port = ntohs(address.sin_port);
  CHECK(read_listeners(port).empty());
  REQUIRE(listen(fd, 1) == 0);
  const auto listeners = read_listeners(port);
  REQUIRE(listeners.size() == 1);
  CHECK(find_socket_owner(listeners[0].inode, {1, getpid()}) == getpid());
  CHECK_FALSE(find_socket_owner(listeners[0].inode, {getppid()}));
  close(fd);
  CHECK(read_listeners(port).empty());
}

}  // namespace
}  // namespace vigil::guest::process

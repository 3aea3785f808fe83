#include "guest/process/listeners.hpp"

#include "guest/process/small_file.hpp"
#include "guest/process/words.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace vigil::guest::process {
namespace {

constexpr std::size_t max_table_bytes = 256 * 1024;   // some 1,700 listeners
constexpr std::string_view listening = "0A";

/// "0100007F:1F90": 32-bit words as the CPU holds them, then the port.
bool parse_endpoint(std::string_view text, Listener& listener) {
  const std::size_t words = listener.ipv6 ? 4 : 1;
  if (text.size() != words * 8 + 5 || text[words * 8] != ':') return false;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word = 0;
    if (!parse_whole(text.substr(i * 8, 8), word, 16)) return false;
    std::memcpy(listener.address.data() + i * 4, &word, 4);
  }
  return parse_whole(text.substr(words * 8 + 1), listener.port, 16);
}

std::optional<Listener> parse_row(const std::vector<std::string_view>& words, AddressFamily family) {
  constexpr std::size_t local = 1, inode = 9;
  Listener listener;
  listener.ipv6 = family == AddressFamily::ipv6;
  if (!parse_endpoint(words[local], listener) || !parse_whole(words[inode], listener.inode)) return std::nullopt;
  return listener;
}

/// Calls `see` with the inode of each socket that the process has open, until it says that it has seen enough.
template <class See>
void for_each_socket(pid_t pid, const See& see) {
  const std::string path = "/proc/" + std::to_string(pid) + "/fd";
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return;
  char target[64];
  for (bool enough = false; !enough;) {
    const dirent* entry = readdir(directory);
    if (entry == nullptr) break;
    const ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
    if (length <= 0) continue;
    if (const auto inode = parse_socket_link(std::string_view(target, static_cast<std::size_t>(length)))) enough = see(*inode);
  }
  closedir(directory);
}

}  // namespace

std::string Listener::address_text() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(ipv6 ? AF_INET6 : AF_INET, address.data(), text, sizeof text);
  return text;
}

bool Listener::is_any() const {
  return std::all_of(address.begin(), address.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::vector<Listener> parse_listeners(std::string_view text, AddressFamily family) {
  std::vector<Listener> listeners;
  bool header = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (std::exchange(header, false)) continue;
    if (words.size() < 10 || words[3] != listening) break;
    if (const auto listener = parse_row(words, family)) listeners.push_back(*listener);
  }
  return listeners;
}

std::vector<Listener> read_listeners() {
  std::vector<Listener> listeners = parse_listeners(read_small_file("/proc/net/tcp", max_table_bytes).value_or(""), AddressFamily::ipv4);
  for (const Listener& listener : parse_listeners(read_small_file("/proc/net/tcp6", max_table_bytes).value_or(""), AddressFamily::ipv6))
    listeners.push_back(listener);
  return listeners;
}

std::vector<Listener> read_listeners(std::uint16_t port) {
  std::vector<Listener> listeners = read_listeners();
  std::erase_if(listeners, [port](const Listener& listener) { return listener.port != port; });
  return listeners;
}

bool serves_address(const Listener& listener, const std::string& wanted) {
  std::array<std::uint8_t, 16> address{};
  const bool wants_ipv4 = inet_pton(AF_INET, wanted.c_str(), address.data()) == 1;
  if (!wants_ipv4 && inet_pton(AF_INET6, wanted.c_str(), address.data()) != 1)   // a name: "localhost"
    return listener.is_any() || listener.address_text() == "127.0.0.1" || listener.address_text() == "::1";
  if (listener.is_any()) return listener.ipv6 || wants_ipv4;   // "::" takes IPv4 too, unless it is v6-only, which the table does not tell
  return listener.ipv6 != wants_ipv4 && listener.address == address;
}

bool stands_in_the_way(const Listener& listener, const std::string& wanted) {
  if (serves_address(listener, wanted)) return true;
  const bool wants_all = wanted == "::" || (wanted == "0.0.0.0" && !listener.ipv6);   // a socket of one address is enough to refuse all
  return wants_all;
}

std::optional<pid_t> find_socket_owner(std::uint64_t inode, const std::vector<pid_t>& candidates) {
  const auto owners = find_socket_owners({inode}, candidates);
  return owners.empty() ? std::nullopt : std::optional(owners.begin()->second);
}

std::map<std::uint64_t, pid_t> find_socket_owners(const std::set<std::uint64_t>& inodes, const std::vector<pid_t>& candidates) {
  std::map<std::uint64_t, pid_t> owners;
  for (const pid_t pid : candidates) {
    if (owners.size() == inodes.size()) break;
    for_each_socket(pid, [&](std::uint64_t inode) {
      if (inodes.contains(inode)) owners.emplace(inode, pid);
      return owners.size() == inodes.size();
    });
  }
  return owners;
}

std::optional<std::uint64_t> parse_socket_link(std::string_view target) {
  constexpr std::string_view start = "socket:[";
  std::uint64_t inode = 0;
  if (!target.starts_with(start) || !target.ends_with(']')) return std::nullopt;
  if (!parse_whole(target.substr(start.size(), target.size() - start.size() - 1), inode)) return std::nullopt;
  return inode;
}

}  // namespace vigil::guest::process

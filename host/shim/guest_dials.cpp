#include "host/shim/guest_dials.hpp"

#include "shared/base/result.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace vigil::shim {

namespace {

constexpr std::size_t max_dials = 256;
constexpr std::size_t max_answer_line = 64;

/// What the device says of a dial: nothing yet, or a whole line, taken; what follows it is the guest's.
struct Line {
  bool is_whole = false, has_ended = false;
  std::string text;
};

Line take_line(int socket) {
  char seen[max_answer_line];
  const ssize_t got = ::recv(socket, seen, sizeof seen, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got <= 0) return {false, true, ""};
  const auto end = std::string_view(seen, static_cast<std::size_t>(got)).find('\n');
  if (end == std::string_view::npos) return {false, static_cast<std::size_t>(got) == sizeof seen, ""};
  const ssize_t taken = ::recv(socket, seen, end + 1, MSG_DONTWAIT);
  if (taken != static_cast<ssize_t>(end) + 1) return {false, true, ""};
  return {true, false, std::string(seen, end)};
}

}  // namespace

/// Unix sockets connect at once, or not at all.
GuestDials::Answer GuestDials::connect(std::uint32_t port) const {
  Answer dialled;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path) return dialled;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) {
    dialled.reason = Error::from_errno("the shim makes a socket", errno).message();
    return dialled;
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EAGAIN) dialled.reason = "the vsock device does not take connections just now";
    return dialled;
  }
  const std::string order = "CONNECT " + std::to_string(port) + "\n";
  if (::send(socket.get(), order.data(), order.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(order.size())) return dialled;
  dialled.socket = std::move(socket);
  return dialled;
}

void GuestDials::dial(std::uint64_t client, std::uint64_t id, std::uint32_t port) {
  Answer dialled;
  if (open_.size() >= max_dials)
    dialled.reason = std::to_string(max_dials) + " dials wait for the guest's answer already";
  else
    dialled = connect(port);
  dialled.client = client;
  dialled.id = id;
  auto& list = dialled.socket ? open_ : answers_;
  list.push_back(std::move(dialled));
}

std::vector<int> GuestDials::descriptors() const {
  std::vector<int> open;
  for (const auto& each : open_) open.push_back(each.socket.get());
  return open;
}

void GuestDials::look(int descriptor) {
  const auto found = std::find_if(open_.begin(), open_.end(), [descriptor](const Answer& each) { return each.socket.get() == descriptor; });
  if (found == open_.end()) return;
  const auto line = take_line(descriptor);
  if (!line.is_whole && !line.has_ended) return;
  if (!line.text.starts_with("OK ")) {
    found->socket.reset();
    if (line.is_whole) found->reason = "the vsock device refuses: " + line.text;
  }
  answers_.splice(answers_.end(), open_, found);
}

}  // namespace vigil::shim

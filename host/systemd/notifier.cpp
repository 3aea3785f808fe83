#include "host/systemd/notifier.hpp"

#include "host/systemd/environment.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace vigil::systemd {

namespace {

constexpr timeval longest_wait{1, 0};

UniqueFd datagram_socket() {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket) ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &longest_wait, sizeof longest_wait);
  return socket;
}

}  // namespace

Notifier::Notifier(std::string address, std::optional<std::chrono::microseconds> watchdog)
    : address_(std::move(address)), watchdog_(watchdog) {
  const bool is_known_kind = address_.starts_with('/') || address_.starts_with('@');
  if (!is_known_kind || address_.size() >= sizeof(sockaddr_un::sun_path)) address_.clear();
  if (!address_.empty()) socket_ = datagram_socket();
}

Notifier Notifier::take_from_environment() {
  const auto address = take_variable("NOTIFY_SOCKET");
  const auto every = number_of(take_variable("WATCHDOG_USEC"));
  const auto for_pid = take_variable("WATCHDOG_PID");
  const bool is_for_us = for_pid.empty() || number_of(for_pid) == static_cast<std::uint64_t>(::getpid());
  if (!every || *every == 0 || !is_for_us) return Notifier(address);
  return Notifier(address, std::chrono::microseconds(*every));
}

Result<void> Notifier::tell(std::string_view lines) const {
  if (address_.empty()) return {};
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  address_.copy(target.sun_path, address_.size());
  if (address_.front() == '@') target.sun_path[0] = '\0';   // an abstract address
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const ssize_t sent = ::sendto(socket_.get(), lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&target), size);
  if (sent < 0) return Error::from_errno("tell " + address_, errno);
  return {};
}

}  // namespace vigil::systemd

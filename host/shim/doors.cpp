#include "host/shim/doors.hpp"

#include "host/async/unix_listener.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::shim {

Result<Doors> Doors::open(const ShimSpec& spec) {
  constexpr unsigned owner_only = 0600;
  constexpr int backlog = 128;
  Doors doors;
  for (const auto& door : spec.doors) {
    TRY(listener, async::listen_unix(door.path, owner_only, backlog));
    if (const auto& user = spec.credentials; user && ::chown(door.path.c_str(), user->uid, user->gid) != 0)
      return Error::from_errno("give " + door.path + " to the run's user", errno);
    doors.open_.push_back({std::move(listener), door.port});
  }
  return doors;
}

std::vector<int> Doors::listeners() const {
  std::vector<int> listeners;
  for (const auto& door : open_) listeners.push_back(door.listener.get());
  return listeners;
}

UniqueFd Doors::accept(int listener) { return UniqueFd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

std::uint32_t Doors::port_of(int listener) const {
  for (const auto& door : open_)
    if (door.listener.get() == listener) return door.port;
  return 0;
}

}  // namespace vigil::shim

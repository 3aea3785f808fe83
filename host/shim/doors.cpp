#include "host/shim/doors.hpp"

#include "host/async/unix_listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::shim {

namespace {

ino_t name_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

Result<Doors::Open> Doors::open_one(const ShimSpec& spec, const Door& door) {
  constexpr unsigned owner_only = 0600;
  constexpr int backlog = 128;
  TRY(listener, async::listen_unix(door.path, owner_only, backlog));
  if (const auto& user = spec.credentials; user && ::chown(door.path.c_str(), user->uid, user->gid) != 0)
    return Error::from_errno("give " + door.path + " to the run's user", errno);
  return Open{std::move(listener), door.port, name_of(door.path)};
}

Result<Doors> Doors::open(const ShimSpec& spec) {
  Doors doors;
  for (const auto& door : spec.doors) {
    TRY(opened, open_one(spec, door));
    doors.open_.push_back(std::move(opened));
  }
  return doors;
}

Result<void> Doors::reopen_taken(const ShimSpec& spec) {
  for (std::size_t at = 0; at < open_.size(); ++at) {
    if (name_of(spec.doors[at].path) == open_[at].inode) continue;
    TRY(opened, open_one(spec, spec.doors[at]));
    open_[at] = std::move(opened);
  }
  return {};
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

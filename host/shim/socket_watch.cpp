#include "host/shim/socket_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>

namespace vigil::shim {

Result<SocketWatch> SocketWatch::make(const std::string& path) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return Error::from_errno("inotify", errno);
  const std::string directory = path.substr(0, path.rfind('/'));
  if (::inotify_add_watch(inotify.get(), directory.c_str(), IN_CREATE | IN_MOVED_TO) < 0) return Error::from_errno("watch " + directory, errno);
  return SocketWatch(std::move(inotify), path);
}

bool SocketWatch::appeared() {
  char events[4096];
  while (::read(inotify_.get(), events, sizeof(events)) > 0) {}
  struct stat status {};
  return ::stat(path_.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace vigil::shim

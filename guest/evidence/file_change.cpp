#include "guest/evidence/file_change.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

namespace vigil::guest::evidence {

FileChange::FileChange(EventLoop& loop, const std::string& path, std::function<void()> changed)
    : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_ || ::inotify_add_watch(inotify_.get(), path.c_str(), IN_MODIFY) < 0) return;
  watch_ = loop.watch(inotify_.get(), EPOLLIN, [fd = inotify_.get(), changed = std::move(changed)](std::uint32_t) {
    char events[4096];
    while (::read(fd, events, sizeof events) > 0) {}
    changed();
  });
}

}  // namespace vigil::guest::evidence

#include "guest/readiness/path_watch.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace vigil::guest::readiness {
namespace {

constexpr std::uint32_t appearances = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == 0 || slash == std::string::npos) return "/";
  return path.substr(0, slash);
}

}  // namespace

PathWatch::PathWatch(EventLoop& loop, std::string path, std::function<void()> look)
    : loop_(loop), path_(std::move(path)), look_(std::move(look)), inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void PathWatch::begin() {
  follow();
  token_ = loop_.watch(inotify_.get(), EPOLLIN, [this](std::uint32_t) { read_events(); });
}

void PathWatch::end() {
  token_.cancel();
  inotify_.reset();
}

void PathWatch::follow() {
  std::string directory = directory_of(path_);
  for (;;) {
    const int watch = inotify_add_watch(inotify_.get(), directory.c_str(), appearances | IN_ONLYDIR);
    if (watch >= 0) {
      if (watch_ >= 0 && watch_ != watch) inotify_rm_watch(inotify_.get(), watch_);
      watch_ = watch;
      // A directory made between our failure below it and the watch above it would not be seen: look once more from the bottom.
      const bool first_time = watched_ != directory;
      watched_ = directory;
      if (!first_time || directory == directory_of(path_)) return;
      directory = directory_of(path_);
      continue;
    }
    if (directory == "/") return;
    directory = directory_of(directory);
  }
}

void PathWatch::read_events() {
  char events[4096];
  bool directory_changed = watched_ != directory_of(path_);
  for (;;) {
    const ssize_t length = read(inotify_.get(), events, sizeof events);
    if (length <= 0) break;
    for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= length;) {
      inotify_event event;
      std::memcpy(&event, events + at, sizeof event);
      directory_changed = directory_changed || (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  if (directory_changed) follow();
  look_();
}

}  // namespace vigil::guest::readiness

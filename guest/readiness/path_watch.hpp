// Tells when a path may have appeared: inotify on its directory, or on the nearest one above that exists.
//
// Shape:  the handler is a hint to look. Source: inotify(7).
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <functional>
#include <string>

namespace vigil::guest::readiness {

class PathWatch {
public:
  PathWatch(EventLoop& loop, std::string path, std::function<void()> look);
  PathWatch(const PathWatch&) = delete;
  PathWatch& operator=(const PathWatch&) = delete;

  void begin();
  /// No more hints.
  void end();

private:
  void follow();
  void read_events();

  EventLoop& loop_;
  std::string path_;
  std::function<void()> look_;
  UniqueFd inotify_;
  std::string watched_;   // the directory that is watched now
  int watch_ = -1;
  LoopToken token_;
};

}  // namespace vigil::guest::readiness

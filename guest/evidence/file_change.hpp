// Tells when the kernel changes a file of its own, such as a cgroup's pids.events. Nothing is polled.
//
// Source: cgroup v2 "file modified events", inotify(7).
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <functional>
#include <string>

namespace vigil::guest::evidence {

class FileChange {
public:
  /// A file that is not there never changes.
  FileChange(EventLoop& loop, const std::string& path, std::function<void()> changed);

private:
  UniqueFd inotify_;
  LoopToken watch_;
};

}  // namespace vigil::guest::evidence

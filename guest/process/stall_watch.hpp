// The kernel tells when processes have stalled for something they cannot get; nothing is polled.
//
// Source: Documentation/accounting/psi.rst: a trigger on a pressure file, at most one notice a window. A kernel without it never tells.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace vigil::guest::process {

class StallWatch {
public:
  /// `stalled`: all of them at once (the file's "full"), for that much of any `window`.
  struct Share {
    std::chrono::microseconds stalled, window;
  };
  StallWatch(EventLoop& loop, const std::string& file, Share share, std::function<void()> told);
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

private:
  UniqueFd trigger_;
  LoopToken token_;
};

}  // namespace vigil::guest::process

// How long to wait before the next dial: 10 ms doubling to 200 ms for the first seconds (the host is about to be there), then up to 1 s (it restarts).
// Pure. Source: tech.md §4.1.
#pragma once

#include <chrono>

namespace vigil::guest::link {

class Backoff {
public:
  std::chrono::milliseconds next();
  /// After a link that got its welcome.
  void reset() { *this = Backoff(); }

private:
  std::chrono::milliseconds delay_{10}, waited_{0};
};

}  // namespace vigil::guest::link

#include "guest/process/stall_watch.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

namespace vigil::guest::process {

StallWatch::StallWatch(EventLoop& loop, const std::string& file, Share share, std::function<void()> told)
    : trigger_(open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
  const std::string threshold = "full " + std::to_string(share.stalled.count()) + " " + std::to_string(share.window.count());
  if (!trigger_ || write(trigger_.get(), threshold.c_str(), threshold.size() + 1) < 0) return;   // with its NUL
  token_ = loop.watch(trigger_.get(), EPOLLPRI, [this, told = std::move(told)](std::uint32_t events) {
    if ((events & EPOLLERR) != 0) return token_.cancel();
    told();
  });
}

}  // namespace vigil::guest::process

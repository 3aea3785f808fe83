#include "guest/streams/input_sink.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::guest::streams {

void InputSink::close() {
  watch_.cancel();
  waiting_.clear();
  fd_ = -1;
}

void InputSink::write(std::string_view bytes) {
  if (fd_ < 0 || broken_) return;
  const bool was_waiting = !waiting_.empty();
  waiting_ += bytes;
  if (!was_waiting) flush();
}

void InputSink::flush() {
  while (!waiting_.empty()) {
    const ssize_t count = ::write(fd_, waiting_.data(), waiting_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) {   // EPIPE, EIO: whoever read has gone
      broken_ = true;
      waiting_.clear();
      break;
    }
    waiting_.erase(0, static_cast<std::size_t>(count));
  }
  if (waiting_.empty()) watch_.cancel();
  else if (!watch_)
    watch_ = loop_.watch(fd_, EPOLLOUT, [this](std::uint32_t) {
      flush();
      if (wants_more()) drained_();
    });
}

}  // namespace vigil::guest::streams

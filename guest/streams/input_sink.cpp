#include "guest/streams/input_sink.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::guest::streams {

void InputSink::close() {
  watch_.cancel();
  waiting_.clear();
  gone_ = 0;
  fd_ = -1;
}

/// Only what the descriptor does not take now is copied.
void InputSink::write(std::string_view bytes) {
  if (fd_ < 0 || broken_) return;
  if (waiting_.empty()) bytes.remove_prefix(write_some(bytes));
  if (broken_ || bytes.empty()) return;
  waiting_ += bytes;
  if (!watch_)
    watch_ = loop_.watch(fd_, EPOLLOUT, [this](std::uint32_t) {
      flush();
      if (wants_more()) drained_();
    });
}

void InputSink::flush() {
  gone_ += write_some(std::string_view(waiting_).substr(gone_));
  if (broken_ || gone_ == waiting_.size()) {
    waiting_.clear();
    gone_ = 0;
    watch_.cancel();
  } else if (gone_ > waiting_.size() / 2) {   // at most one move a byte
    waiting_.erase(0, gone_);
    gone_ = 0;
  }
}

/// How much was taken. EPIPE, EIO: whoever read has gone.
std::size_t InputSink::write_some(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const ssize_t count = ::write(fd_, bytes.data() + taken, bytes.size() - taken);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      broken_ = errno != EAGAIN;
      break;
    }
    taken += static_cast<std::size_t>(count);
  }
  return taken;
}

}  // namespace vigil::guest::streams

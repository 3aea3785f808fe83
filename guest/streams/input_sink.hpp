// Bytes on their way into a descriptor that may not take them yet: a program's stdin, a service's socket.
//
// Shape:  write() keeps what does not fit; wants_more() is false while more than max_waiting waits.
// Errors: a reader that has gone takes everything to nowhere: is_broken(). Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace vigil::guest::streams {

class InputSink {
public:
  /// `drained`: there is room again, or what waited has gone.
  InputSink(EventLoop& loop, std::function<void()> drained) : loop_(loop), drained_(std::move(drained)) {}

  /// Of `fd`, which is non-blocking and stays the caller's.
  void open(int fd) { fd_ = fd; }
  void close();
  void write(std::string_view bytes);
  bool wants_more() const { return waiting_.size() - gone_ < max_waiting; }
  bool is_empty() const { return waiting_.empty(); }
  std::string_view waiting() const { return std::string_view(waiting_).substr(gone_); }
  bool is_broken() const { return broken_; }

private:
  static constexpr std::size_t max_waiting = 256 * 1024;
  void flush();
  std::size_t write_some(std::string_view bytes);

  EventLoop& loop_;
  std::function<void()> drained_;
  int fd_ = -1;
  std::string waiting_;
  std::size_t gone_ = 0;            // of waiting_
  bool broken_ = false;
  LoopToken watch_;
};

}  // namespace vigil::guest::streams

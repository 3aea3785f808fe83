// A timer by the wall clock that stays right when the clock is set: what is due at a date is due at that date.
//
// Shape:  one date at a time; set() replaces it. The callback is called once a date, on the executor, never from inside set(). Not after destruction.
// Units:  microseconds since 1970. Errors: std::system_error of timerfd_create, when it is made.
#pragma once

#include "shared/base/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace vigil::async {

class WallTimer {
public:
  WallTimer(boost::asio::any_io_executor executor, std::function<void()> on_due);
  ~WallTimer();
  WallTimer(const WallTimer&) = delete;
  WallTimer& operator=(const WallTimer&) = delete;

  /// A date that has passed is due at once; nullopt: nothing is.
  void set(std::optional<UnixUs> at);
  std::optional<UnixUs> at() const { return at_; }

private:
  void wait();
  void take();

  boost::asio::posix::stream_descriptor timer_;
  std::function<void()> on_due_;
  std::optional<UnixUs> at_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // a callback may still be queued when we go
};

}  // namespace vigil::async

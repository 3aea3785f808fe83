// One waiter, any number of wake-ups: "there is work", without a poll and without a lost wake-up.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>

namespace vigil::async {

class Notification {
  public:
    explicit Notification(boost::asio::any_io_executor executor);
    void notify();
    /// Returns at once when notify() was called since the last wait. One waiter at a time.
    boost::asio::awaitable<void> wait();
    /// False when `limit` passed first.
    boost::asio::awaitable<bool> wait_for(std::chrono::milliseconds limit);

  private:
    boost::asio::steady_timer timer_;  // notify() cancels the wait
    bool set_ = false;
};

}  // namespace vigil::async

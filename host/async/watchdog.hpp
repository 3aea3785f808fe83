// Notices who does not move: each side of a transfer has a time by which it must have, or none.
//
// Shape:  expect() and rest() are cheap and called at every block; passed() ends when a time has passed, with the side. One waiter.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace vigil::async {

enum class Side { client, guest };

class Watchdog {
  public:
    explicit Watchdog(boost::asio::any_io_executor executor);
    void expect(Side side, std::chrono::milliseconds within);
    void rest(Side side);
    boost::asio::awaitable<Side> passed();

  private:
    using Time = std::chrono::steady_clock::time_point;
    Time earliest() const { return std::min(due_[0], due_[1]); }

    boost::asio::steady_timer timer_;
    std::array<Time, 2> due_{Time::max(), Time::max()};
};

}  // namespace vigil::async

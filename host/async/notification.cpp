#include "host/async/notification.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace vigil::async {

namespace asio = boost::asio;

Notification::Notification(asio::any_io_executor executor) : timer_(executor) {}

void Notification::notify() {
    set_ = true;
    timer_.cancel();
}

asio::awaitable<void> Notification::wait() {
    timer_.expires_at(asio::steady_timer::time_point::max());
    while (!set_) co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));  // when we are cancelled, the next round throws
    set_ = false;
}

asio::awaitable<bool> Notification::wait_for(std::chrono::milliseconds limit) {
    timer_.expires_after(limit);
    if (!set_) co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return std::exchange(set_, false);
}

}  // namespace vigil::async

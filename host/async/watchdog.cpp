#include "host/async/watchdog.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace vigil::async {

namespace asio = boost::asio;

Watchdog::Watchdog(asio::any_io_executor executor) : timer_(executor, Time::max()) {}

void Watchdog::expect(Side side, std::chrono::milliseconds within) {
    due_[static_cast<std::size_t>(side)] = std::chrono::steady_clock::now() + within;
    if (earliest() < timer_.expiry()) timer_.cancel();   // the waiter looks anew; a later time is found when the earlier one has come
}

void Watchdog::rest(Side side) { due_[static_cast<std::size_t>(side)] = Time::max(); }

asio::awaitable<Side> Watchdog::passed() {
    for (;;) {
        const auto now = std::chrono::steady_clock::now();
        for (const auto side : {Side::client, Side::guest})
            if (due_[static_cast<std::size_t>(side)] <= now) co_return side;
        timer_.expires_at(earliest());
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));   // when we are cancelled, the next round throws
    }
}

}  // namespace vigil::async

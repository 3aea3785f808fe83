// Work that blocks (hashing, copying, fsync) off the one event thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <utility>

namespace vigil::async {

template <class T>
boost::asio::awaitable<T> call_blocking(std::function<T()> work) {
    co_return work();
}

/// Runs `work` on the pool and comes back to the caller's executor. The work must touch nothing that the event thread touches;
/// cancellation does not interrupt it, the caller resumes when it has ended. Nor may it reach the pool: there co_spawn's own code throws when
/// the work has ended, which ends the program, and the pointer that carries the cancellation may point at what is freed.
template <class T>
boost::asio::awaitable<T> run_blocking(boost::asio::thread_pool& pool, std::function<T()> work) {
    auto call = call_blocking<T>(std::move(work));
    auto unreachable = boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot(), boost::asio::use_awaitable);
    co_return co_await boost::asio::co_spawn(pool.get_executor(), std::move(call), std::move(unreachable));
}

}  // namespace vigil::async

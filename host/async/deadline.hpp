// A wait with an end, which tells failure from lateness.
#pragma once

#include "shared/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>

namespace vigil::async {

/// Errc::timeout ("<what>: no answer within N ms") after `limit`; what `work` throws and our caller's cancellation pass through unchanged.
/// `work` is cancelled when the time is up and has ended when this returns. (`work || timer` would wait the timer out when work throws at once.)
template <class T>
boost::asio::awaitable<Result<T>> with_deadline(boost::asio::awaitable<Result<T>> work, std::chrono::milliseconds limit,
                                                std::string what) {
    namespace asio = boost::asio;
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, limit);
    auto race = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(work), asio::deferred),
                                                        timer.async_wait(asio::deferred));
    auto finished = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, failure, answer, timer_error] = finished;
    const bool late = order[0] == 1 && !timer_error;
    if (late) {
        Error error(Errc::timeout, what + ": no answer within " + std::to_string(limit.count()) + " ms");
        co_return error;
    }
    if (failure) std::rethrow_exception(failure);
    co_return std::move(answer);
}

}  // namespace vigil::async

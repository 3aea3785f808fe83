#include "host/async/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <vector>

namespace vigil::async {

namespace asio = boost::asio;

namespace {

bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

std::string text_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "not a std::exception";
    }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor) : executor_(executor), drained_(executor) {
    drained_.expires_at(asio::steady_timer::time_point::max());
}

TaskGroup::~TaskGroup() {
    if (tasks_.empty()) return;
    spdlog::critical("task_group.destroyed_running tasks={}", tasks_.size());
    std::abort();  // their frames point at what is being destroyed
}

void TaskGroup::spawn(std::string name, std::function<asio::awaitable<void>()> factory) {
    const std::uint64_t task = next_++;
    auto& signal = tasks_[task];
    auto ended = [this, task, name = std::move(name)](std::exception_ptr failure) { on_end(task, name, failure); };
    asio::co_spawn(executor_, std::move(factory), asio::bind_cancellation_slot(signal.slot(), std::move(ended)));
    if (stopping_) signal.emit(asio::cancellation_type::terminal);
}

void TaskGroup::on_end(std::uint64_t task, const std::string& name, std::exception_ptr failure) {
    if (failure && !is_cancellation(failure)) spdlog::error("task.failed task={} err=\"{}\"", name, text_of(failure));
    tasks_.erase(task);
    if (tasks_.empty()) drained_.cancel();
}

void TaskGroup::cancel() {
    std::vector<std::uint64_t> running;
    for (const auto& [task, signal] : tasks_) running.push_back(task);
    for (const auto task : running)
        if (const auto found = tasks_.find(task); found != tasks_.end()) found->second.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> TaskGroup::stop() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    stopping_ = true;
    cancel();
    while (!tasks_.empty()) co_await drained_.async_wait(asio::as_tuple(asio::use_awaitable));
    stopping_ = false;
}

}  // namespace vigil::async

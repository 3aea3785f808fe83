// Owns coroutines: nothing runs in the background without somebody who can stop it and wait for its end.
//
// Shape:  spawn() starts one; stop() cancels all and returns when the last has ended; the destructor only checks that.
// Thread: one executor, one thread. A factory is called on the executor; it must not itself be a coroutine lambda: let it call a named one.
// Errors: what a task throws is logged under its name (cancellation is not an error) and ends that task alone.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <string>

namespace vigil::async {

class TaskGroup {
  public:
    explicit TaskGroup(boost::asio::any_io_executor executor);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    void spawn(std::string name, std::function<boost::asio::awaitable<void>()> factory);
    /// Cancels every task and waits for all; tasks that they spawn meanwhile are cancelled too. Not cut short by our own cancellation.
    boost::asio::awaitable<void> stop();
    /// Cancels without waiting (for a stop() that comes later).
    void cancel();

    std::size_t size() const { return tasks_.size(); }
    boost::asio::any_io_executor executor() const { return executor_; }

  private:
    void on_end(std::uint64_t task, const std::string& name, std::exception_ptr failure);

    boost::asio::any_io_executor executor_;
    boost::asio::steady_timer drained_;  // never expires; cancelled when the last task has ended
    std::map<std::uint64_t, boost::asio::cancellation_signal> tasks_;  // a map's nodes stay where they are: slots point at them
    std::uint64_t next_ = 0;
    bool stopping_ = false;
};

}  // namespace vigil::async

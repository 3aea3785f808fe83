// Joins a client to a guest's stream: bytes both ways, unread, until one side closes.
//
// Shape:  one Relays a daemon; each relay is a task. When the guest's end closes, what it sent is still written to the client; when the client closes, the stream is over.
// Thread: the event thread. stop() before it is destroyed: clients see their connection close.
#pragma once

#include "host/async/leash.hpp"
#include "host/async/task_group.hpp"
#include "host/streams/guest_stream.hpp"
#include "host/streams/run_program.hpp"
#include "shared/base/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>

namespace vigil::streams {

class Relays {
  public:
    explicit Relays(boost::asio::any_io_executor executor) : executor_(executor), tasks_(executor) {}
    boost::asio::any_io_executor executor() const { return executor_; }
    /// `client_sent` is what was read from the client already. Cut, the leash closes both ends.
    void join(UniqueFd client, std::string client_sent, GuestStream guest, const std::shared_ptr<async::Leash>& leash = {});
    /// run_program(), as a task of ours.
    void run(GuestStream guest, std::string input, ProgramLimits limits, std::function<void(Result<ProgramResult>)> done);
    /// Something else that lives with a stream, as a task of ours.
    void hold(std::string name, std::function<boost::asio::awaitable<void>()> task) { tasks_.spawn(std::move(name), std::move(task)); }
    std::size_t size() const { return tasks_.size(); }
    boost::asio::awaitable<void> stop();

  private:
    boost::asio::any_io_executor executor_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::streams

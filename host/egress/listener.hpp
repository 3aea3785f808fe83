// Where the connections of one run's VM arrive: run/ID/vsock_5254.
//
// Shape:  listen() binds (the socket is the VM's identity); stop() closes every connection. What is refused is told to the owner, bounded.
// Errors: listen(): those of listen_unix.
#pragma once

#include "host/async/task_group.hpp"
#include "host/egress/refusal_teller.hpp"
#include "host/egress/session.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace vigil::egress {

/// The run; it outlives the listener.
class EgressOwner {
  public:
    virtual ~EgressOwner() = default;
    virtual bool is_agent(const BootId& boot, const std::string& token) = 0;
    virtual void egress_refused(const protocol::Cause& cause, std::uint64_t count) = 0;
};

/// What all listeners of a daemon share.
struct Outside {
    boost::asio::thread_pool pool{16};   // resolvers block; a VM has four of them at most
    Counters counters;
    std::string credentials_dir;
    Limits limits;
};

class Listener {
  public:
    Listener(boost::asio::io_context& io, std::string socket_path, machine::EgressPolicy policy, Outside& outside, EgressOwner& owner, const Clock& clock);
    /// Where no shim does: then admit() brings who dials.
    Result<void> listen();
    bool listens() const { return acceptor_.is_open(); }
    /// A connection that arrived at this run's socket.
    void admit(UniqueFd connection);
    boost::asio::awaitable<void> stop();

  private:
    boost::asio::awaitable<void> accept_loop();
    void let_in(streams::StreamSocket socket);
    boost::asio::awaitable<void> serve(std::shared_ptr<streams::StreamSocket> socket, Room room);

    boost::asio::io_context& io_;
    std::string socket_path_;
    machine::EgressPolicy policy_;
    Outside& outside_;
    RefusalTeller teller_;
    SessionHost host_;
    boost::asio::local::stream_protocol::acceptor acceptor_;
    std::size_t connections_ = 0;
    async::TaskGroup tasks_;
};

}  // namespace vigil::egress

// The doors to ports inside VMs: a Unix socket, and if wanted a TCP port of the loopback address. Origins of their own: the API is not served here.
//
// Shape:  listen() binds; listening() says where; stop() closes the doors and every connection and waits for their ends. Over max_connections the oldest
//         connection that has not said what it wants makes room; when all are at work, the new one is turned away with 503.
// Errors: listen(): as listen_unix; Errc::invalid for an address that is not ADDRESS:PORT or not of the loopback; Errc::conflict when it is taken.
// Thread: the event thread.
#pragma once

#include "host/async/task_group.hpp"
#include "host/ports/connection.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <vector>

namespace vigil::ports {

struct ServerOptions {
    std::string socket_path;
    unsigned socket_mode = 0600;
    std::string tcp;               // "127.0.0.1:8090", "[::1]:0"; empty: no TCP door
    Limits limits;
};

class Server {
  public:
    Server(boost::asio::io_context& io, Guests& guests, events::EventBus& bus, ServerOptions options);
    /// `passed`: the Unix socket, bound and listening already; it stays when this server ends. Empty: it is made, and taken away at the end.
    Result<void> listen(UniqueFd passed = {});
    /// The TCP door as a client writes it, with the port that was given; empty: there is none.
    const std::string& tcp_address() const { return tcp_address_; }
    const std::string& socket_path() const { return options_.socket_path; }
    const Counters& counters() const { return proxy_.counters; }
    boost::asio::awaitable<void> stop();

  private:
    using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;
    struct Door;

    Result<void> open_door(UniqueFd listener, int family, std::string port);
    boost::asio::awaitable<void> accept_loop(std::shared_ptr<Door> door);
    void take(StreamSocket socket, const Door& door);
    bool make_room();

    boost::asio::io_context& io_;
    ServerOptions options_;
    Proxy proxy_;
    Quiet quiet_;
    std::string tcp_address_;
    bool is_passed_ = false;
    std::vector<std::shared_ptr<Door>> doors_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::ports

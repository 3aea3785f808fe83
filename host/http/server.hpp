// HTTP/1.1 on a Unix socket, and if wanted on a TCP port of the loopback: accepts, limits, hands requests to the router. Knows no VM.
//
// Shape:  each door has connections of its own: who fills the TCP door does not shut the Unix socket. The doorkeeper stands at the TCP door alone.
// Thread: the event thread. listen() binds; stop() closes the listeners and every connection and waits for their ends.
// Errors: listen(): Errc::conflict when another process answers on the path or port, Errc::limit for a path over 107 bytes, Errc::invalid for an address that is not of the
//         loopback, else of bind(2).
#pragma once

#include "host/async/task_group.hpp"
#include "host/http/connection.hpp"
#include "host/http/limits.hpp"
#include "host/http/router.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <vector>

namespace vigil::http {

struct ServerOptions {
    std::string socket_path;       // empty: no Unix socket
    unsigned socket_mode = 0600;
    Limits limits;
    std::string tcp{};             // "127.0.0.1:8080", "[::1]:0"; empty: no TCP door
    Doorkeeper doorkeeper{};       // needed for a TCP door
};

class Server {
  public:
    Server(boost::asio::io_context& io, Router router, ServerOptions options);
    /// `passed`: the Unix socket, bound and listening already; it stays when this server ends. Empty: it is made, and taken away at the end.
    Result<void> listen(UniqueFd passed = {});
    /// The TCP door as a client writes it, with the port that was given; empty: there is none.
    const std::string& tcp_address() const { return tcp_address_; }
    boost::asio::awaitable<void> stop();

  private:
    using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;
    using Socket = boost::asio::generic::stream_protocol::socket;
    struct Door;

    Result<void> open_door(UniqueFd listener, int family, bool is_guarded);
    boost::asio::awaitable<void> accept_loop(std::shared_ptr<Door> door);
    boost::asio::awaitable<void> serve(Socket socket, std::shared_ptr<Door> door);

    boost::asio::io_context& io_;
    Router router_;
    ServerOptions options_;
    std::string tcp_address_;
    bool is_passed_ = false;
    std::vector<std::shared_ptr<Door>> doors_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::http

// HTTP/1.1 on a Unix socket: accepts, limits, hands requests to the router. Knows no VM.
//
// Thread: the event thread. listen() binds; stop() closes the listener and every connection and waits for their ends.
// Errors: listen(): Errc::conflict when another process answers on the path, Errc::limit for a path over 107 bytes, else of bind(2).
#pragma once

#include "host/async/task_group.hpp"
#include "host/http/limits.hpp"
#include "host/http/router.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <string>

namespace vigil::http {

struct ServerOptions {
    std::string socket_path;
    unsigned socket_mode = 0600;
    Limits limits;
};

class Server {
  public:
    Server(boost::asio::io_context& io, Router router, ServerOptions options);
    Result<void> listen();
    boost::asio::awaitable<void> stop();

  private:
    boost::asio::awaitable<void> accept_loop();
    boost::asio::awaitable<void> serve(boost::asio::local::stream_protocol::socket socket);

    boost::asio::io_context& io_;
    Router router_;
    ServerOptions options_;
    boost::asio::local::stream_protocol::acceptor acceptor_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::http

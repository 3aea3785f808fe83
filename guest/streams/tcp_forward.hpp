// A TCP connection to a port of this machine: bytes between the host's stream and a local service.
//
// Shape:  tries 127.0.0.1, then ::1, then the address that a listener of this port is bound to. Then it is a SocketBridge.
// Errors: refused with Errc::unavailable when nobody listens, naming the port; a connection that breaks later ends the stream with Errc::io.
// Thread: the loop's.
#pragma once

#include "guest/streams/socket_bridge.hpp"

#include <sys/socket.h>

#include <vector>

namespace vigil::guest::streams {

class TcpForward final : public SocketBridge {
public:
  TcpForward(EventLoop& loop, Stream& stream, const TcpOpening& opening);

private:
  struct Target {
    sockaddr_storage address{};
    socklen_t size = 0;
    std::string text;
  };

  void add(bool ipv6, const void* address, std::string text);
  void add_listeners();
  void try_next();
  void connected();

  EventLoop& loop_;
  Stream& stream_;
  std::uint16_t port_;
  std::vector<Target> targets_;
  std::size_t next_ = 0;
  bool listeners_known_ = false;
  UniqueFd socket_;                 // until it is connected
  LoopToken watch_;
};

}  // namespace vigil::guest::streams

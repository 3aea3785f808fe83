// A TCP connection to a port of this machine: bytes between the host's stream and a local service.
//
// Shape:  tries 127.0.0.1, then ::1, then the address that a listener of this port is bound to. Each side's end of data is passed on as such; the stream is
//         done when both have ended.
// Errors: refused with Errc::unavailable when nobody listens, naming the port; a connection that breaks later ends the stream with Errc::io.
// Thread: the loop's.
#pragma once

#include "guest/streams/input_sink.hpp"
#include "guest/streams/stream.hpp"

#include <sys/socket.h>

#include <vector>

namespace vigil::guest::streams {

class TcpForward final : public Operation {
public:
  TcpForward(EventLoop& loop, Stream& stream, const TcpOpening& opening);
  void received(Chunk chunk) override;
  void can_send() override;

private:
  struct Target {
    sockaddr_storage address{};
    socklen_t size = 0;
    std::string text;
  };

  static std::vector<Target> targets_of(std::uint16_t port);
  void try_next();
  void connected();
  void watch_local();
  void on_ready();
  void finish_if_done();
  void broken(const std::string& what, int error);

  EventLoop& loop_;
  Stream& stream_;
  std::uint16_t port_;
  std::vector<Target> targets_;
  std::size_t next_ = 0;
  UniqueFd socket_, writing_;       // the same socket: epoll takes a descriptor once
  InputSink sink_;
  bool local_ended_ = false, host_ended_ = false;
  std::uint64_t sent_ = 0;
  LoopToken watch_;
};

}  // namespace vigil::guest::streams

// Bytes between a stream and a connected local socket, both ways; what a TCP forward is once it is connected, and a connection that leaves the VM.
//
// Shape:  each side's end of data is passed on as such. Done when both have ended and everything is written: then the stream's last word.
// Errors: a connection that breaks ends the stream with Errc::io. Thread: the loop's.
#pragma once

#include "guest/streams/input_sink.hpp"
#include "guest/streams/stream.hpp"

#include <string>

namespace vigil::guest::streams {

class SocketBridge : public Operation {
public:
  SocketBridge(EventLoop& loop, Stream& stream);
  void received(Chunk chunk) override;
  void can_send() override;
  std::optional<KeptOperation> keep() const override;

protected:
  /// From now on; non-blocking.
  void carry(UniqueFd socket);
  /// As carry(), of a connection that the life of the agent before carried.
  void resume(const KeptBridge& kept);

private:
  void watch_local();
  void on_ready();
  void finish_if_done();
  void broken(const std::string& what, int error);

  EventLoop& loop_;
  Stream& stream_;
  UniqueFd socket_, writing_;       // the same socket: epoll takes a descriptor once
  InputSink sink_;
  bool local_ended_ = false, host_ended_ = false;
  std::uint64_t sent_ = 0;
  LoopToken watch_;
};

/// One that goes on in another life of the agent.
class ResumedBridge final : public SocketBridge {
public:
  ResumedBridge(EventLoop& loop, Stream& stream, const KeptBridge& kept) : SocketBridge(loop, stream) { resume(kept); }
};

}  // namespace vigil::guest::streams

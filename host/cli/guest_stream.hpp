// A stream into a VM, as the command line uses it: over the daemon's socket, by an upgraded request.
//
// Shape:  open() returns when the guest has accepted. Input is never read while output waits to be sent: see pump() of the verbs.
// Errors: open(): as Client's. Errc::unavailable when the stream breaks. Thread: blocking, unless said otherwise.
#pragma once

#include "host/cli/daemon_address.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"

#include <optional>
#include <string>

namespace vigil::cli {

class GuestStream {
public:
  static Result<GuestStream> open(const DaemonAddress& daemon, const std::string& vm, const streams::Opening& opening);

  const std::string& facts_json() const { return facts_json_; }
  int fd() const { return fd_.get(); }

  void queue(streams::Channel channel, std::string_view bytes) { streams::append_chunks(out_, channel, bytes); }
  void queue_end(streams::Channel channel) { streams::append_end(out_, channel); }
  void queue(const streams::Control& control) { queue(streams::Channel::control, streams::encode(control)); }
  bool has_unsent() const { return !out_.empty(); }
  /// Sends what goes without waiting.
  Result<void> flush();
  /// Sends everything.
  Result<void> flush_all();

  /// A whole chunk that is here already.
  Result<std::optional<streams::Chunk>> next() { return chunks_.next(); }
  /// Reads once; waits for it. Errc::unavailable at the end.
  Result<void> read_more();
  /// The next chunk; waits for it.
  Result<streams::Chunk> receive();

private:
  UniqueFd fd_;
  std::string facts_json_, out_;
  streams::ChunkReader chunks_;
};

}  // namespace vigil::cli

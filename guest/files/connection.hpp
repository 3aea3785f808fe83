// The worker's end of a stream: the same bytes as guest/streams/stream.hpp, blocking.
//
// Errors: once the host has gone everything fails with Errc::unavailable.
#pragma once

#include "shared/base/unique_fd.hpp"
#include "shared/streams/control.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::files {

class Connection {
public:
  Connection(int fd, std::string_view already_read);
  Result<void> accept(const std::string& facts_json);
  void refuse(const Error& error);
  Result<void> send(streams::Channel channel, std::string_view bytes);
  /// The last word; returns when the host has closed.
  void finish(const streams::Control& last, streams::Channel ended = streams::Channel::data);
  Result<streams::Chunk> receive();
  /// Until `fd` can be read. Errc::unavailable: the host has closed; what it says meanwhile is for nobody.
  Result<void> wait_for(int fd);

private:
  Result<void> write(std::string_view bytes);
  void wait_for_close();

  UniqueFd fd_;
  streams::ChunkReader chunks_;
};

}  // namespace vigil::guest::files

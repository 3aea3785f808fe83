// What one stream does: a program's input and output, a TCP connection. One implementation an op.
//
// Shape:  made when the opening has arrived; answers through Stream::accept or refuse, at once or later. Its destruction is the end of the stream.
// Thread: the loop's.
#pragma once

#include "guest/streams/kept_stream.hpp"
#include "shared/streams/chunk.hpp"

#include <optional>

namespace vigil::guest::streams {

using namespace vigil::streams;

class Operation {
public:
  virtual ~Operation() = default;
  /// A chunk from the host, in order; not before the stream was accepted. Control messages come as bytes.
  virtual void received(Chunk chunk) = 0;
  /// There is room again for what has to be sent.
  virtual void can_send() = 0;
  /// For the next life of the agent; nullopt: not in this state, or not at all.
  virtual std::optional<KeptOperation> keep() const { return std::nullopt; }
};

}  // namespace vigil::guest::streams

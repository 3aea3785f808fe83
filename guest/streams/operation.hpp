// What one stream does: a program's input and output, a TCP connection. One implementation an op.
//
// Shape:  made when the opening has arrived; answers through Stream::accept or refuse, at once or later. Its destruction is the end of the stream.
// Thread: the loop's.
#pragma once

#include "shared/streams/chunk.hpp"

namespace vigil::guest::streams {

using namespace vigil::streams;

class Operation {
public:
  virtual ~Operation() = default;
  /// A chunk from the host, in order; not before the stream was accepted. Control messages come as bytes.
  virtual void received(Chunk chunk) = 0;
  /// There is room again for what has to be sent.
  virtual void can_send() = 0;
};

}  // namespace vigil::guest::streams

// The chunks of a guest's stream for somebody who is called and does not wait: pulled, so that a slow client holds back the guest and nobody else.
//
// Shape:  take() gives what has come since the last time and lets more come; after the guest's last word `over` is set. The stream ends with the feed.
// Units:  one read's worth of chunks is held, 64 KiB. Errors: Errc::unavailable when the stream broke before its last word; those of ChunkReader.
// Thread: the event thread.
#pragma once

#include "host/streams/guest_stream.hpp"
#include "shared/streams/chunk.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace vigil::streams {

class ChunkFeed {
public:
  /// `input`: chunks for the guest, written while its own are read; a guest that reads none of them holds back nothing else.
  ChunkFeed(boost::asio::any_io_executor executor, GuestStream stream, std::string input = {});
  ~ChunkFeed();
  ChunkFeed(const ChunkFeed&) = delete;
  ChunkFeed& operator=(const ChunkFeed&) = delete;

  struct Taken {
    std::vector<Chunk> chunks;
    bool over = false;
  };
  Result<Taken> take();
  /// `wake` is called when there is something to take, also from within take().
  void on_more(std::function<void()> wake);

private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the read that is under way
};

}  // namespace vigil::streams

// Accepts the host's streams and owns them while they last.
//
// Shape:  one server an agent. Which operation answers an opening is the opener's business.
// Units:  at most max_streams at once; one more is refused with a word (Errc::limit).
// Thread: the loop's.
#pragma once

#include "guest/streams/stream.hpp"

#include <functional>
#include <list>
#include <memory>
#include <vector>

namespace vigil::guest::streams {

inline constexpr std::size_t max_streams = 256;

class StreamServer {
public:
  /// A new connection of the listener, or an empty descriptor: none, or one that may not be here.
  using Accept = std::function<UniqueFd(int listener)>;

  StreamServer(EventLoop& loop, UniqueFd listener, Accept accept, Stream::Opener opener);
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  struct Kept {
    int listener = -1;
    std::vector<KeptStream> streams;
    std::size_t left_out = 0;          // cannot be handed over now
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  /// Makes the operation that a stream goes on with; null when there is nothing that it could be attached to.
  using Reviver = std::function<std::unique_ptr<Operation>(Stream&, const KeptOperation&)>;
  Kept keep() const;
  /// The streams that the life of the agent before had.
  void resume(const std::vector<KeptStream>& kept, const Reviver& reviver);

  std::size_t open_streams() const { return streams_.size(); }

private:
  void accept_some();
  void add(UniqueFd fd);
  std::function<void()> forget(std::list<std::unique_ptr<Stream>>::iterator place);

  EventLoop& loop_;
  UniqueFd listener_;
  Accept accept_;
  Stream::Opener opener_;
  std::list<std::unique_ptr<Stream>> streams_;
  LoopToken watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace vigil::guest::streams

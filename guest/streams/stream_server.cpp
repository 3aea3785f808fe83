#include "guest/streams/stream_server.hpp"

#include <sys/epoll.h>

#include <utility>

namespace vigil::guest::streams {
namespace {

constexpr int accepted_per_turn = 16;

std::unique_ptr<Operation> refuse_one_more(Stream& stream, const Opening&) {
  stream.refuse(Error(Errc::limit, std::to_string(max_streams) + " streams are open in this VM; end some"));
  return nullptr;
}

}  // namespace

StreamServer::StreamServer(EventLoop& loop, UniqueFd listener, Accept accept, Stream::Opener opener)
    : loop_(loop), listener_(std::move(listener)), accept_(std::move(accept)), opener_(std::move(opener)) {
  watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_some(); });
}

void StreamServer::accept_some() {
  for (int i = 0; i < accepted_per_turn; ++i) {
    UniqueFd fd = accept_(listener_.get());
    if (!fd) return;
    add(std::move(fd));
  }
}

void StreamServer::add(UniqueFd fd) {
  const bool full = streams_.size() >= max_streams;
  if (streams_.size() >= 2 * max_streams) return;   // not even a word: closed here
  const auto place = streams_.emplace(streams_.end());
  *place = std::make_unique<Stream>(loop_, std::move(fd), full ? Stream::Opener(refuse_one_more) : opener_, forget(place));
}

std::function<void()> StreamServer::forget(std::list<std::unique_ptr<Stream>>::iterator place) {
  return [this, place, alive = std::weak_ptr(alive_)] {
    loop_.post([this, place, alive] {
      if (alive.lock()) streams_.erase(place);
    });
  };
}

StreamServer::Kept StreamServer::keep() const {
  Kept kept{listener_.get(), {}, 0};
  for (const auto& stream : streams_) {
    if (stream->is_closed()) continue;
    if (auto one = stream->keep()) kept.streams.push_back(std::move(*one));
    else ++kept.left_out;
  }
  return kept;
}

void StreamServer::resume(const std::vector<KeptStream>& kept, const Reviver& reviver) {
  for (const KeptStream& each : kept) {
    const auto place = streams_.emplace(streams_.end());
    *place = std::make_unique<Stream>(loop_, each, opener_, forget(place));
    if (each.state != KeptStream::State::accepted) continue;
    if (auto operation = reviver(**place, each.operation)) (*place)->begin(std::move(operation));
    else (*place)->finish(Problem{Errc::unavailable, "the agent was replaced, and what this stream was attached to is gone"});
  }
}

}  // namespace vigil::guest::streams

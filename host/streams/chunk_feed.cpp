#include "host/streams/chunk_feed.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include <optional>
#include <utility>

namespace vigil::streams {

namespace asio = boost::asio;

namespace {
constexpr std::size_t read_bytes = 64 * 1024;
}

struct ChunkFeed::State : std::enable_shared_from_this<ChunkFeed::State> {
  explicit State(asio::any_io_executor executor) : socket(executor), block(read_bytes) {}

  asio::local::stream_protocol::socket socket;
  std::vector<char> block;
  std::string input;
  std::shared_ptr<const void> in_use;
  ChunkReader reader;
  std::vector<Chunk> ready;
  std::optional<Error> problem;
  bool over = false, reading = false, closed = false;
  std::function<void()> wake;

  void parse() {
    while (!over && !problem) {
      auto chunk = reader.next();
      if (!chunk) {
        problem = chunk.error();
        return;
      }
      if (!*chunk) return;
      over = (*chunk)->channel == Channel::control && (*chunk)->is_end();
      ready.push_back(std::move(**chunk));
    }
  }

  void write() {
    if (input.empty()) return;
    auto written = [self = shared_from_this()](boost::system::error_code, std::size_t) { self->input = {}; };  // a broken stream is told by the read
    asio::async_write(socket, asio::buffer(input), std::move(written));
  }

  void read_more() {
    if (reading || over || problem || closed || !ready.empty()) return;
    reading = true;
    socket.async_read_some(asio::buffer(block), [self = shared_from_this()](boost::system::error_code failure, std::size_t count) {
      self->reading = false;
      if (self->closed) return;
      if (failure) self->problem = Error(Errc::unavailable, "the stream into the guest broke before its end");
      self->reader.feed({self->block.data(), count});
      self->parse();
      if (self->ready.empty() && !self->problem) return self->read_more();
      if (self->wake) self->wake();
    });
  }
};

ChunkFeed::ChunkFeed(asio::any_io_executor executor, GuestStream stream, std::string input) : state_(std::make_shared<State>(executor)) {
  state_->socket.assign(asio::local::stream_protocol(), stream.fd.release());
  state_->in_use = std::move(stream.in_use);
  state_->reader.feed(stream.unread);
  state_->input = std::move(input);
  state_->write();
  state_->parse();
  state_->read_more();
}

ChunkFeed::~ChunkFeed() {
  state_->closed = true;
  state_->wake = nullptr;
  boost::system::error_code ignored;
  state_->socket.close(ignored);
}

Result<ChunkFeed::Taken> ChunkFeed::take() {
  Taken taken{std::exchange(state_->ready, {}), state_->over};
  if (taken.chunks.empty() && state_->problem) return *state_->problem;
  state_->read_more();
  return taken;
}

void ChunkFeed::on_more(std::function<void()> wake) { state_->wake = std::move(wake); }

}  // namespace vigil::streams

// One connection of the streams port, or one that the agent opened to the host: reads the opening, carries chunks both ways, ends in order.
//
// Shape:  the operation sends while has_room(), and is told by can_send() when there is room again; pause_input() stops reading what the host sends. So a slow
//         reader stalls its own stream alone. finish() says the last word; then the host closes. Nothing is destroyed inside a call from the operation.
// Units:  at most max_unsent bytes wait to be written. An opening has opening_deadline to arrive, the host linger_deadline to close.
// Errors: what the host sends wrongly ends the stream with a problem. Thread: the loop's.
// Source: CONTRACTS "Streams".
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/streams/operation.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vigil::guest::streams {

inline constexpr std::size_t max_unsent = 256 * 1024;

class Stream {
public:
  /// Makes the operation of an opening; null when the stream was refused or handed over.
  using Opener = std::function<std::unique_ptr<Operation>(Stream&, const Opening&)>;

  Stream(EventLoop& loop, UniqueFd fd, Opener opener, std::function<void()> closed);
  /// One that this side began, on a connected descriptor: says `hello` and needs no answer. begin() gives it its operation.
  Stream(EventLoop& loop, UniqueFd fd, std::string hello, std::function<void()> closed);
  void begin(std::unique_ptr<Operation> operation);
  /// One that the life of the agent before had; its operation, where it has one, comes by begin().
  Stream(EventLoop& loop, const KeptStream& kept, Opener opener, std::function<void()> closed);
  /// nullopt: not while its operation is neither refused nor begun, or cannot be handed over.
  std::optional<KeptStream> keep() const;
  bool is_closed() const { return state_ == State::closed; }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void accept(const std::string& facts_json = "{}");
  void refuse(const Error& error);

  void send(Channel channel, std::string_view bytes);
  void end(Channel channel);
  void tell(const Control& control);
  /// The last message.
  void finish(const Control& last);
  /// A stream that is over with its answer.
  void finish();
  bool has_room() const { return out_.size() - written_ < room_; }
  /// For an operation that keeps what waits elsewhere: at most max_unsent.
  void limit_room(std::size_t bytes) { room_ = bytes; }
  void pause_input(bool paused);

  /// For another process that goes on with the connection: its descriptor, what was read after the opening, and the end of it here.
  int fd() const { return fd_.get(); }
  const std::string& unread() const { return unread_; }
  void abandon() { close(); }

private:
  enum class State { opening, opened, accepted, finishing, closed };

  void on_ready(std::uint32_t events);
  void read_in();
  void take(std::string_view bytes);
  void take_opening();
  void take_chunks();
  void take_chunks_soon();
  void write_out();
  void update_watch();
  void close();
  void fail(const Error& error);

  EventLoop& loop_;
  UniqueFd fd_;
  Opener opener_;
  std::function<void()> closed_;
  State state_ = State::opening;
  framing::FrameReader frames_{max_opening_bytes};
  std::string unread_;              // what followed the opening, until the stream is accepted
  ChunkReader chunks_;
  std::string out_;
  std::size_t written_ = 0;         // of out_
  std::size_t room_ = max_unsent;
  bool input_paused_ = false, taking_ = false;
  std::uint32_t watched_ = 0;
  std::unique_ptr<Operation> operation_;
  LoopToken watch_, deadline_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);   // posted calls outlive us
};

}  // namespace vigil::guest::streams

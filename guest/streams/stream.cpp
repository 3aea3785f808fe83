#include "guest/streams/stream.hpp"

#include "guest/log/log.hpp"
#include "shared/protocol/control.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vigil::guest::streams {

using namespace std::chrono_literals;

namespace {

constexpr auto opening_deadline = 30s, linger_deadline = 30s;
constexpr std::size_t max_unread = 256 * 1024;

}  // namespace

Stream::Stream(EventLoop& loop, UniqueFd fd, Opener opener, std::function<void()> closed)
    : loop_(loop), fd_(std::move(fd)), opener_(std::move(opener)), closed_(std::move(closed)) {
  watched_ = EPOLLIN;
  watch_ = loop_.watch(fd_.get(), watched_, [this](std::uint32_t events) { on_ready(events); });
  deadline_ = loop_.after(opening_deadline, [this] { close(); });
}

Stream::Stream(EventLoop& loop, UniqueFd fd, std::string hello, std::function<void()> closed)
    : loop_(loop), fd_(std::move(fd)), closed_(std::move(closed)), state_(State::accepted), out_(std::move(hello)) {
  watched_ = EPOLLIN;
  watch_ = loop_.watch(fd_.get(), watched_, [this](std::uint32_t events) { on_ready(events); });
}

Stream::Stream(EventLoop& loop, const KeptStream& kept, Opener opener, std::function<void()> closed)
    : loop_(loop), fd_(kept.fd), opener_(std::move(opener)), closed_(std::move(closed)), out_(kept.out), room_(static_cast<std::size_t>(kept.room)) {
  using Kept = KeptStream::State;
  state_ = kept.state == Kept::opening ? State::opening : kept.state == Kept::accepted ? State::accepted : State::finishing;
  if (state_ == State::opening) frames_.feed(kept.unread);
  if (state_ == State::accepted) chunks_.feed(kept.unread);
  watched_ = EPOLLIN;
  watch_ = loop_.watch(fd_.get(), watched_, [this](std::uint32_t events) { on_ready(events); });
  if (state_ != State::accepted) deadline_ = loop_.after(state_ == State::opening ? opening_deadline : linger_deadline, [this] { close(); });
  write_out();
  if (state_ == State::accepted) take_chunks_soon();
}

std::optional<KeptStream> Stream::keep() const {
  if (state_ == State::closed || state_ == State::opened) return std::nullopt;
  KeptStream kept;
  kept.fd = fd_.get();
  kept.out = out_.substr(written_);
  kept.room = room_;
  kept.input_paused = input_paused_;
  if (state_ == State::finishing) {
    kept.state = KeptStream::State::finishing;
    return kept;
  }
  if (state_ == State::opening) {
    framing::FrameReader frames = frames_;
    kept.unread = frames.take_rest();
    return kept;
  }
  auto operation = operation_ ? operation_->keep() : std::nullopt;
  if (!operation) return std::nullopt;
  kept.state = KeptStream::State::accepted;
  kept.unread = chunks_.rest();
  kept.operation = std::move(*operation);
  return kept;
}

void Stream::begin(std::unique_ptr<Operation> operation) {
  operation_ = std::move(operation);
  write_out();
}

void Stream::accept(const std::string& facts_json) {
  if (state_ != State::opened && state_ != State::opening) return;
  state_ = State::accepted;
  out_ += framing::make_frame(encode_answer(facts_json));
  write_out();
  chunks_.feed(std::exchange(unread_, {}));
  take_chunks_soon();
}

void Stream::refuse(const Error& error) {
  if (state_ == State::accepted) return finish(Problem{error.code(), error.message()});
  if (state_ != State::opened && state_ != State::opening) return;
  out_ += framing::make_frame(encode_answer(error));
  finish();
}

void Stream::send(Channel channel, std::string_view bytes) {
  if (state_ != State::accepted) return;
  append_chunks(out_, channel, bytes);
  write_out();
}

void Stream::end(Channel channel) {
  if (state_ != State::accepted) return;
  append_end(out_, channel);
  write_out();
}

void Stream::tell(const Control& control) {
  if (state_ != State::accepted) return;
  append_chunks(out_, Channel::control, encode(control));
  write_out();
}

void Stream::finish(const Control& last) {
  if (state_ != State::accepted) return;
  append_chunks(out_, Channel::control, encode(last));
  finish();
}

void Stream::finish() {
  if (state_ == State::finishing || state_ == State::closed) return;
  append_end(out_, Channel::control);
  state_ = State::finishing;
  deadline_ = loop_.after(linger_deadline, [this] { close(); });
  write_out();
}

void Stream::pause_input(bool paused) {
  if (std::exchange(input_paused_, paused) == paused) return;
  if (!paused && state_ == State::accepted && !taking_) take_chunks_soon();
  update_watch();
}

void Stream::on_ready(std::uint32_t events) {
  if (events & EPOLLOUT) {
    const bool was_full = !has_room();
    write_out();
    if (was_full && has_room() && operation_ && state_ == State::accepted) operation_->can_send();
  }
  if (state_ != State::closed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))) read_in();
}

void Stream::read_in() {
  static char block[64 * 1024];   // one loop, one thread: all streams may share it
  const ssize_t count = ::recv(fd_.get(), block, sizeof block, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return close();
  take({block, static_cast<std::size_t>(count)});
}

void Stream::take(std::string_view bytes) {
  if (state_ == State::finishing) return;   // what comes after the last word is for nobody
  if (state_ == State::opening) {
    frames_.feed(bytes);
    return take_opening();
  }
  if (state_ == State::opened) {
    unread_ += bytes;
    return update_watch();
  }
  chunks_.feed(bytes);
  take_chunks();
}

void Stream::take_opening() {
  const auto frame = frames_.next();
  if (!frame) return refuse(frame.error());
  if (!*frame) return;
  deadline_.cancel();
  const auto opening = decode_opening(**frame);
  if (!opening) return refuse(opening.error());
  state_ = State::opened;
  unread_ = frames_.take_rest();
  auto operation = opener_(*this, *opening);
  if (state_ != State::closed) operation_ = std::move(operation);
}

/// From the loop's next turn: an operation that answers or goes on must not be called back from there.
void Stream::take_chunks_soon() {
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) take_chunks();
  });
}

void Stream::take_chunks() {
  taking_ = true;
  while (state_ == State::accepted && operation_ && !input_paused_) {
    auto chunk = chunks_.next();
    if (!chunk) {
      fail(chunk.error());
      break;
    }
    if (!*chunk) break;
    operation_->received(std::move(**chunk));
  }
  taking_ = false;
  update_watch();
}

void Stream::write_out() {
  if (!fd_ || state_ == State::closed) return;
  while (written_ < out_.size()) {
    const std::size_t part = std::min(out_.size() - written_, protocol::max_guest_send_bytes);
    const ssize_t count = ::send(fd_.get(), out_.data() + written_, part, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return close();
    written_ += static_cast<std::size_t>(count);
  }
  if (written_ == out_.size()) {
    out_.clear();
    written_ = 0;
  } else if (written_ > out_.size() / 2) {
    out_.erase(0, written_);
    written_ = 0;
  }
  update_watch();
}

void Stream::update_watch() {
  if (!watch_ || state_ == State::closed) return;
  const bool reads = state_ == State::finishing || state_ == State::opening || (!input_paused_ && unread_.size() + chunks_.buffered() <= max_unread);
  const std::uint32_t wanted = (reads ? EPOLLIN : EPOLLRDHUP) | (written_ < out_.size() ? EPOLLOUT : 0U);
  if (std::exchange(watched_, wanted) != wanted) loop_.rearm(watch_, wanted);
}

void Stream::fail(const Error& error) {
  log::warning("stream.broken", {{"err", error.message()}});
  finish(Problem{error.code(), error.message()});
}

/// The owner forgets this stream from the loop, after whoever called us has returned.
void Stream::close() {
  if (std::exchange(state_, State::closed) == State::closed) return;
  watch_.cancel();
  deadline_.cancel();
  fd_.reset();
  closed_();
}

}  // namespace vigil::guest::streams

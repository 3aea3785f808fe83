#include "guest/link/link.hpp"

#include "guest/log/log.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::link {
namespace {

constexpr std::size_t max_unsent = 64 * 1024;       // more reports are framed only as these leave

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

}  // namespace

Link::Link(EventLoop& loop, Dialler& dialler, report::Outbox& outbox, LinkFacts facts, LinkEvents events)
    : loop_(loop), dialler_(dialler), outbox_(outbox), facts_(std::move(facts)), events_(std::move(events)) {}

Link::~Link() { *alive_ = false; }

void Link::start() {
  stopped_ = false;
  dial();
}

void Link::resume(Connection connection) {
  stopped_ = false;
  if (!connection.fd) return dial();
  welcomed_ = connection.welcomed;
  open(std::move(connection.fd));
  out_ = std::move(connection.unsent);
  unread_ = std::move(connection.unread);
  reader_.feed(unread_);
  flush();
}

Connection Link::release() {
  stopped_ = true;
  dial_timer_.cancel();
  silence_timer_.cancel();
  watch_.cancel();
  Connection connection;
  // A connect that is still under way is not worth carrying over: nothing was said on it.
  if (fd_ && !connecting_) connection = {std::move(fd_), welcomed_, std::move(unread_), std::move(out_)};
  fd_.reset();
  return connection;
}

Link::Kept Link::keep() const {
  if (!fd_ || connecting_) return {};
  return {fd_.get(), welcomed_, unread_, out_};
}

void Link::stop() { release(); }

void Link::flush() {
  if (flush_posted_ || !fd_ || connecting_) return;
  flush_posted_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    flush_posted_ = false;
    write_out();
  });
}

void Link::reply(const protocol::Reply& reply) {
  if (!welcomed_) return;   // the link that asked is gone, and the question with it
  queue(protocol::Message{facts_.boot, epoch_, reply});
  flush();
}

std::string Link::describe() const {
  if (welcomed_) return "up";
  if (fd_ && !connecting_) return "down: the host has not answered hello";
  return "down: " + why_down_;
}

void Link::dial() {
  auto dialled = dialler_.dial();
  if (!dialled) {
    why_down_ = dialled.error().message();
    if (dialled.error().code() == Errc::denied) {
      log::error("link.denied", {{"err", why_down_}});
      return;
    }
    dial_timer_ = loop_.after(backoff_.next(), [this] { dial(); });
    return;
  }
  fd_ = std::move(*dialled);
  connecting_ = true;
  watch_ = loop_.watch(fd_.get(), EPOLLOUT, [this](std::uint32_t) { connected(); });
}

void Link::connected() {
  connecting_ = false;
  if (const int error = socket_error(fd_.get()); error != 0) return drop(std::string("connect: ") + std::strerror(error));
  watch_.cancel();
  open(std::move(fd_));
  welcomed_ = false;
  outbox_.rewind();
  protocol::Hello hello = facts_.hello;
  hello.first_unacked = outbox_.first_unacked();
  queue(protocol::Message{facts_.boot, epoch_, std::move(hello)});
  write_out();
}

void Link::open(UniqueFd fd) {
  fd_ = std::move(fd);
  connecting_ = false;
  ++connections_;
  reader_ = framing::FrameReader();
  unread_.clear();
  out_.clear();
  wants_write_ = false;
  silence_.heard();
  watch_ = loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
  silence_timer_.cancel();
  mind_silence();
}

void Link::drop(const std::string& why) {
  if (welcomed_ || why != why_down_) log::info("link.down", {{"err", why}});
  why_down_ = why;
  welcomed_ = connecting_ = false;
  watch_.cancel();
  silence_timer_.cancel();
  fd_.reset();
  out_.clear();
  if (!stopped_) dial_timer_ = loop_.after(backoff_.next(), [this] { dial(); });
}

void Link::on_ready(std::uint32_t epoll_events) {
  const std::uint64_t connection = connections_;
  if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_in();
  if ((epoll_events & EPOLLOUT) && fd_ && connection == connections_) write_out();
}

void Link::read_in() {
  char bytes[16 * 1024];
  const ssize_t count = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return drop(std::string("read: ") + std::strerror(errno));
  if (count == 0) return drop(welcomed_ ? "closed by the host" : "closed by the host before welcome");
  silence_.heard();
  const std::string_view chunk(bytes, static_cast<std::size_t>(count));
  reader_.feed(chunk);
  unread_ += chunk;
  take_frames();
}

void Link::take_frames() {
  const std::uint64_t connection = connections_;
  while (fd_ && connection == connections_) {
    auto frame = reader_.next();
    if (!frame) return drop("bad frame: " + frame.error().message());
    if (!*frame) break;
    auto message = protocol::decode(**frame);
    if (!message) return drop("bad message: " + message.error().message());
    take(*message);
  }
  if (fd_ && connection == connections_) unread_.erase(0, unread_.size() - reader_.buffered());
}

void Link::take(const protocol::Message& message) {
  if (const auto* welcome = std::get_if<protocol::Welcome>(&message.content)) {
    take_welcome(*welcome);
  } else if (const auto* ack = std::get_if<protocol::Ack>(&message.content)) {
    outbox_.acknowledge(ack->seq);
    mind_silence();
    if (events_.acknowledged) events_.acknowledged();
  } else if (const auto* ping = std::get_if<protocol::Ping>(&message.content)) {
    queue(protocol::Message{facts_.boot, epoch_, protocol::Pong{ping->n, ping->sender_us, loop_.now_us()}});
    write_out();   // at once: the host computes the clock offset from it
    if (welcomed_ && ping->wall_unix_us != 0 && events_.host_clock) events_.host_clock(ping->wall_unix_us);
  } else if (const auto* request = std::get_if<protocol::Request>(&message.content)) {
    if (welcomed_ && events_.requested) events_.requested(*request);
  }   // pong: heard_ says it all; types of a newer host are not for us
}

void Link::take_welcome(const protocol::Welcome& welcome) {
  if (welcomed_) return;
  welcomed_ = true;
  backoff_.reset();
  epoch_ = welcome.epoch;
  outbox_.set_epoch(welcome.epoch);
  facts_.hello.token = welcome.token;
  log::info("link.up", {{"first_unacked", outbox_.first_unacked()}});
  if (events_.welcomed) events_.welcomed(welcome);
  flush();
}

void Link::write_out() {
  if (!fd_ || connecting_) return;
  for (;;) {
    queue_reports();
    if (out_.empty()) break;
    const ssize_t count = ::send(fd_.get(), out_.data(), std::min(out_.size(), protocol::max_guest_send_bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return drop(std::string("write: ") + std::strerror(errno));
    out_.erase(0, static_cast<std::size_t>(count));
  }
  mind_silence();
  if (const bool wants = !out_.empty(); wants != std::exchange(wants_write_, wants))
    loop_.rearm(watch_, wants ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Link::queue_reports() {
  if (!welcomed_) return;
  while (out_.size() < max_unsent) {
    const protocol::Report* report = outbox_.next_to_send();
    if (!report) return;
    const Seq seq = report->seq;
    queue(protocol::Message{report->boot, report->epoch, *report});
    outbox_.mark_sent(seq);
  }
}

void Link::queue(const protocol::Message& message) {
  const std::string payload = protocol::encode(message);
  if (payload.size() > framing::max_frame_bytes) {   // every report is bounded where it is made
    log::error("link.message_too_large", {{"bytes", payload.size()}});
    return;
  }
  out_ += framing::make_frame(payload);
}

void Link::mind_silence() {
  if (!fd_ || connecting_) return;
  const bool awaiting = is_awaiting();
  if (silence_timer_ && awaiting == awaiting_) return;
  awaiting_ = awaiting;
  silence_timer_ = loop_.after(awaiting ? facts_.silence.awaiting : facts_.silence.idle, [this] { look_for_silence(); });
}

void Link::look_for_silence() {
  const Silence::Verdict verdict = silence_.look();
  if (verdict == Silence::Verdict::lost) return drop("the host is silent");
  silence_timer_.cancel();
  mind_silence();
  if (verdict == Silence::Verdict::well || !welcomed_) return;
  queue(protocol::Message{facts_.boot, epoch_, protocol::Ping{++pings_, loop_.now_us()}});
  write_out();
}

}  // namespace vigil::guest::link

#include "guest/readiness/conversation.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::readiness {
namespace {

constexpr std::size_t max_unread = 64 * 1024;
constexpr std::chrono::milliseconds longest_answer{2000};   // times the deadline scale

}  // namespace

Conversation::Conversation(Endpoint endpoint, std::unique_ptr<Dialogue> dialogue, EventLoop& loop, int deadline_scale, ProbeEvents events, PeerCheck check)
    : endpoint_(endpoint), dialogue_(std::move(dialogue)), loop_(loop), deadline_scale_(deadline_scale), events_(std::move(events)), check_(std::move(check)) {}

void Conversation::start() { connect(); }

void Conversation::connect() {
  hang_up();
  unread_.clear();
  connected_ = false;
  unsent_ = dialogue_->begin();
  socket_.reset(socket(endpoint_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int connected = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&endpoint_.storage), endpoint_.length);
  if (connected != 0 && errno != EINPROGRESS) return retry(std::strerror(errno), std::nullopt);
  io_ = loop_.watch(socket_.get(), EPOLLOUT, [this](std::uint32_t events) { on_ready(events); });
  expect_answer();
}

void Conversation::expect_answer() {
  if (overtime_) return;
  overtime_ = loop_.after(longest_answer * deadline_scale_ / 2, [this] { half_of_the_time_is_over(); });
}

void Conversation::half_of_the_time_is_over() {
  overtime_ = loop_.after(longest_answer * deadline_scale_ / 2, [this] { give_up_waiting(); });
  if (!connected_ || !unread_.empty()) return;
  unsent_ += dialogue_->when_silent();
  if (!unsent_.empty()) send_rest();
}

void Conversation::give_up_waiting() {
  retry("no answer", protocol::make_cause(protocol::CauseCode::service_not_answering, {{"port", dialogue_->port()}}));
}

void Conversation::on_ready(std::uint32_t epoll_events) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return retry(std::strerror(error), std::nullopt);
  if (!std::exchange(connected_, true) && check_)
    if (auto cause = check_(socket_.get())) return retry("another process answers", std::move(cause));
  if ((epoll_events & EPOLLOUT) != 0 && !send_rest()) return;
  if ((epoll_events & (EPOLLIN | EPOLLHUP)) != 0) read_in();
}

bool Conversation::send_rest() {
  if (!unsent_.empty()) {
    const ssize_t sent = send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      retry(std::strerror(errno), std::nullopt);
      return false;
    }
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  loop_.rearm(io_, unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  return true;
}

void Conversation::read_in() {
  char block[4096];
  bool ended = false;
  while (!ended && unread_.size() < max_unread) {
    const ssize_t length = recv(socket_.get(), block, sizeof block, 0);
    if (length < 0 && errno == EAGAIN) break;
    ended = length <= 0;
    if (!ended) unread_.append(block, static_cast<std::size_t>(length));
  }
  const bool full = unread_.size() >= max_unread;
  Turn turn = dialogue_->take(unread_, ended || full ? Input::has_ended : Input::goes_on);
  // Whoever has closed can owe nothing, whatever the dialogue hopes for.
  const bool open_end = turn.kind == Turn::Kind::more || turn.kind == Turn::Kind::waiting;
  if (open_end && (ended || unread_.size() >= max_unread))
    turn = {Turn::Kind::failed, {}, ended ? "connection closed" : "an answer without end", turn.finding};
  follow(std::move(turn));
}

void Conversation::follow(Turn turn) {
  switch (turn.kind) {
    case Turn::Kind::failed: return retry(std::move(turn.seen), std::move(turn.finding));
    case Turn::Kind::passed:
      hang_up();
      finding_.reset();
      seen_.clear();
      events_.passed();
      return;
    case Turn::Kind::waiting:
      overtime_.cancel();
      seen_ = std::move(turn.seen);
      break;
    case Turn::Kind::more: expect_answer(); break;
  }
  unsent_ += turn.send;
  if (!unsent_.empty() && !send_rest()) return;
  if (turn.kind == Turn::Kind::waiting) set_finding(std::move(turn.finding));
}

void Conversation::retry(std::string seen, std::optional<protocol::Cause> finding) {
  hang_up();
  seen_ = std::move(seen);
  retry_ = loop_.after(patience_.take(), [this] { connect(); });
  set_finding(std::move(finding));
}

void Conversation::set_finding(std::optional<protocol::Cause> finding) {
  if (finding == finding_) return;
  finding_ = std::move(finding);
  events_.finding_changed();
}

void Conversation::hang_up() {
  io_.cancel();
  overtime_.cancel();
  retry_.cancel();
  socket_.reset();
}

}  // namespace vigil::guest::readiness

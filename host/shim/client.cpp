#include "host/shim/client.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vigil::shim {

namespace {

constexpr std::size_t max_pending = 256 << 10;
constexpr int pieces_at_a_time = 16;
constexpr std::size_t max_passing = 32;

/// A socket goes along with the first of the bytes.
ssize_t send_with(int to, const char* bytes, std::size_t size, int passed) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{const_cast<char*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &passed, sizeof(int));
  return ::sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

std::vector<Command> Client::receive() {
  std::vector<Command> commands;
  char buffer[4096];
  const ssize_t got = ::recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return commands;
  if (got <= 0) {
    socket_.reset();
    return commands;
  }
  reader_.feed({buffer, static_cast<std::size_t>(got)});
  while (true) {
    const auto payload = reader_.next();
    if (payload && !*payload) return commands;
    const auto command = payload ? parse_command(**payload) : Result<Command>(payload.error());
    if (!command) {
      socket_.reset();
      return commands;
    }
    commands.push_back(*command);
  }
}

void Client::attach(const Attach& attach) {
  next_ = attach.console_offset;
  attached_ = true;
  wants_dialled_ = attach.dialled;
}

bool Client::takes_dialled() const { return wants_dialled() && passing_.size() < max_passing && out_.size() < max_pending / 2; }

void Client::send_dialled(std::uint32_t port, UniqueFd socket) {
  passing_.push_back({out_.size(), port, std::move(socket)});
  send(Dialled{port});
}

void Client::send_answer(const Answered& answered, UniqueFd socket) {
  if (answered.connected) passing_.push_back({out_.size(), 0, std::move(socket)});
  send(answered);
}

void Client::send(const ShimEvent& event) {
  out_ += frame_of(event);
  if (out_.size() > max_pending) socket_.reset();
}

bool Client::wants_write(const BoundedWriter& console) const { return !stalled_ && (!out_.empty() || (attached_ && next_ < console.size())); }

void Client::pump(const BoundedWriter& console, const ExitRecord* ended) {
  stalled_ = false;
  for (int piece = 0; piece < pieces_at_a_time && is_open(); ++piece) {
    if (!flush()) return;
    if (!refill(console, ended)) return;
  }
}

/// Puts the next piece into the empty buffer; false when there is none.
bool Client::refill(const BoundedWriter& console, const ExitRecord* ended) {
  if (!attached_) return false;
  if (next_ < console.size()) {
    Piece piece = console.read(next_, max_console_piece);
    next_ += piece.lost + piece.bytes.size();
    if (piece.lost > 0) out_ = frame_of(ShimEvent(ConsoleLost{piece.offset, piece.lost}));
    else out_ = frame_of(ShimEvent(ConsoleBytes{piece.offset, std::move(piece.bytes)}));
    return true;
  }
  if (!ended || told_) return false;
  out_ = frame_of(ShimEvent(Ended{*ended}));
  told_ = true;
  return true;
}

/// True when nothing is left to send.
bool Client::flush() {
  while (!out_.empty()) {
    const bool passes = !passing_.empty() && passing_.front().at == 0;
    const std::size_t next = passing_.size() > (passes ? 1U : 0U) ? passing_[passes ? 1 : 0].at : out_.size();
    const ssize_t put = passes ? send_with(socket_.get(), out_.data(), next, passing_.front().socket.get())
                               : ::send(socket_.get(), out_.data(), next, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    stalled_ = put < 0 && errno == ETOOMANYREFS;
    if (put < 0 && errno != EAGAIN && !stalled_) socket_.reset();
    if (put < 0) return false;
    if (passes) passing_.pop_front();
    for (auto& each : passing_) each.at -= static_cast<std::size_t>(put);
    out_.erase(0, static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace vigil::shim

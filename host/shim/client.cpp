#include "host/shim/client.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace vigil::shim {

namespace {

constexpr std::size_t max_pending = 256 << 10;
constexpr int pieces_at_a_time = 16;

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

void Client::attach(std::uint64_t console_offset) {
  next_ = console_offset;
  attached_ = true;
}

void Client::send(const ShimEvent& event) {
  out_ += frame_of(event);
  if (out_.size() > max_pending) socket_.reset();
}

bool Client::wants_write(const BoundedWriter& console) const { return !out_.empty() || (attached_ && next_ < console.size()); }

void Client::pump(const BoundedWriter& console, const ExitRecord* ended) {
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
    const ssize_t put = ::send(socket_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) socket_.reset();
    if (put < 0) return false;
    out_.erase(0, static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace vigil::shim

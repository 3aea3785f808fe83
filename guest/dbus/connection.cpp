#include "guest/dbus/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::dbus {
namespace {

constexpr std::size_t max_handshake_bytes = 4096, bytes_per_turn = 256 << 10;

/// "I am uid N", the number as hexadecimal digits of its decimal ones.
std::string greeting() {
  std::string line = "AUTH EXTERNAL ";
  for (const char digit : std::to_string(::geteuid())) line += {"0123456789abcdef"[digit >> 4], "0123456789abcdef"[digit & 15]};
  return std::string(1, '\0') + line + "\r\n";
}

std::string describe(const Message& error) {
  auto reader = error.reader();
  const std::string text(error.signature.starts_with("s") ? reader.text() : std::string_view());
  return error.error + (text.empty() ? "" : ": " + text);
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(EventLoop& loop, const std::string& path, Events events) {
  const auto failed = [&](const char* step) { return Error(Errc::unavailable, path + ": " + step + ": " + std::strerror(errno)); };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(Errc::unavailable, path + ": too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("connect");
  return std::make_unique<Connection>(loop, std::move(fd), std::move(events));
}

Connection::Connection(EventLoop& loop, UniqueFd fd, Events events)
    : loop_(loop), fd_(std::move(fd)), events_(std::move(events)), out_(greeting()) {
  watch_ = loop_.watch(fd_.get(), EPOLLIN | EPOLLOUT, [this](std::uint32_t happened) { on_ready(happened); });
}

void Connection::call(const Call& call, ReplyHandler handler) {
  if (!fd_ || outstanding_.size() >= max_outstanding) {
    const Error error = fd_ ? Error(Errc::limit, "too many calls wait for an answer") : Error(Errc::unavailable, "not connected");
    loop_.post([handler = std::move(handler), error] { handler(error); });
    return;
  }
  outstanding_.emplace(++serial_, std::move(handler));
  (let_in_ ? out_ : held_back_) += encode_call(serial_, call);
  if (let_in_) loop_.rearm(watch_, EPOLLIN | EPOLLOUT);
}

void Connection::on_ready(std::uint32_t happened) {
  const auto alive = alive_;
  if ((happened & EPOLLOUT) != 0) write_out();
  if (alive.use_count() > 1 && fd_ && (happened & ~std::uint32_t{EPOLLOUT}) != 0) read_in();
}

void Connection::write_out() {
  while (!out_.empty()) {
    const ssize_t count = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return end(std::string("write: ") + std::strerror(errno));
    out_.erase(0, static_cast<std::size_t>(count));
  }
  loop_.rearm(watch_, EPOLLIN);
}

void Connection::read_in() {
  char block[16 << 10];
  for (std::size_t taken = 0; taken < bytes_per_turn;) {
    const ssize_t count = ::recv(fd_.get(), block, sizeof block, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) return end(count == 0 ? "the peer has closed it" : std::string("read: ") + std::strerror(errno));
    taken += static_cast<std::size_t>(count);
    const std::string_view bytes(block, static_cast<std::size_t>(count));
    if (let_in_)
      reader_.add(bytes);
    else
      lines_.append(bytes);
  }
  if (let_in_ || take_handshake()) take_messages();
}

/// True once we are let in; bytes after the line are messages.
bool Connection::take_handshake() {
  const std::size_t line_end = lines_.find("\r\n");
  if (line_end == std::string::npos) {
    if (lines_.size() > max_handshake_bytes) end("it does not speak D-Bus");
    return false;
  }
  if (!lines_.starts_with("OK ")) {
    end("we are not let in: " + lines_.substr(0, std::min<std::size_t>(line_end, 100)));
    return false;
  }
  let_in_ = true;
  reader_.add(std::string_view(lines_).substr(line_end + 2));
  lines_.clear();
  out_ += "BEGIN\r\n" + std::exchange(held_back_, {});
  loop_.rearm(watch_, EPOLLIN | EPOLLOUT);
  return true;
}

void Connection::take_messages() {
  const std::weak_ptr<bool> alive = alive_;
  for (;;) {
    auto message = reader_.next();
    if (!message) return end(message.error().message());
    if (!*message) return;
    take(**message);
    if (alive.use_count() <= 1 || !fd_) return;   // on_ready() holds the other
  }
}

void Connection::take(const Message& message) {
  if (message.kind == Message::Kind::signal) {
    if (events_.signalled) events_.signalled(message);
    return;
  }
  if (message.kind != Message::Kind::reply && message.kind != Message::Kind::error) return;   // a call: systemd makes none
  auto waiting = outstanding_.extract(message.reply_to);
  if (!waiting) return;
  const ReplyHandler handler = std::move(waiting.mapped());
  if (message.kind == Message::Kind::reply)
    handler(message);
  else
    handler(Error(Errc::conflict, describe(message)));
}

void Connection::end(const std::string& why) {
  watch_.cancel();
  fd_.reset();
  const auto left = std::exchange(outstanding_, {});
  for (const auto& [serial, handler] : left) handler(Error(Errc::unavailable, why));
  if (const auto lost = std::exchange(events_.lost, nullptr)) lost(why);
}

}  // namespace vigil::guest::dbus

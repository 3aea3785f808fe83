#include "tests/bench/native/fleet/subscribers.hpp"

#include "guest/link/unix_dial.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace vigil::fleet {

namespace {

constexpr std::string_view request = "GET /v1/events?after=now HTTP/1.1\r\nHost: vigil\r\nAccept: text/event-stream\r\n\r\n";
constexpr std::size_t at_once = 20;   // fewer than wait to be accepted

std::uint64_t number_after(std::string_view text, std::string_view key) {
  const auto at = text.rfind(key);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + key.size(), text.data() + text.size(), number);
  return number;
}

}  // namespace

Subscribers::Subscribers(std::string path, std::size_t count, std::chrono::milliseconds limit)
    : path_(std::move(path)), wanted_(count), subscribers_(count) {
  orders_ = loop_.watch(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { loop_.stop(); });
  limit_ = loop_.after(limit, [this] { loop_.stop(); });
}

void Subscribers::run() {
  connect_some();
  loop_.run();
  print();
}

/// The next ones when these have begun: the daemon accepts one after another.
void Subscribers::connect_some() {
  for (std::size_t n = begun_; n < std::min(wanted_, begun_ + at_once); ++n) {
    Subscriber& one = subscribers_[n];
    auto dialled = guest::link::UnixDialler(path_).dial();
    if (!dialled) throw std::runtime_error(dialled.error().message());
    one.socket = std::move(*dialled);
    if (::send(one.socket.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      throw std::runtime_error("subscribe at " + path_ + ": " + std::strerror(errno));
    one.watch = loop_.watch(one.socket.get(), EPOLLIN, [this, &one](std::uint32_t) { read_from(one); });
  }
}

void Subscribers::read_from(Subscriber& one) {
  static char bytes[256 * 1024];
  const ssize_t count = ::recv(one.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    ++ended_;
    one.watch.cancel();
    return;
  }
  one.unread.append(bytes, static_cast<std::size_t>(count));
  std::string_view rest = one.unread;
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    take_line(one, rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  one.unread.erase(0, one.unread.size() - rest.size());
}

void Subscribers::take_line(Subscriber& one, std::string_view line) {
  if (line.starts_with("HTTP/1.1 ")) {
    if (!line.starts_with("HTTP/1.1 200")) throw std::runtime_error("a subscriber was answered: " + std::string(line));
    one.has_begun = true;
    if (++begun_ % at_once == 0 && begun_ < wanted_) next_ = loop_.after_us(std::chrono::microseconds(1), [this] { connect_some(); });
    if (begun_ < wanted_) return;
    std::printf("up %zu\n", begun_);
    std::fflush(stdout);
  } else if (line.starts_with("id: ")) {
    const auto number = number_after(line, "id: ");
    if (one.last != 0 && number != one.last + 1) ++gaps_;
    one.last = number;
  } else if (line.starts_with("data: ") && begun_ == wanted_ && line.find("\"type\":\"service\"") != std::string_view::npos) {
    late_us_.push_back(
        static_cast<std::uint32_t>(std::min<std::uint64_t>(loop_.now_us() - number_after(line, "\"mono_us\":"), UINT32_MAX)));
  }
}

void Subscribers::print() {
  std::ranges::sort(late_us_);
  const auto at = [&](std::size_t percent) {
    return late_us_.empty() ? 0 : late_us_[std::min(late_us_.size() - 1, late_us_.size() * percent / 100)];
  };
  std::printf("heard %zu %u %u %u %lu %lu\n", late_us_.size(), at(50), at(99), late_us_.empty() ? 0 : late_us_.back(), gaps_, ended_);
}

}  // namespace vigil::fleet

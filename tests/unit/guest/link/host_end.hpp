// The host's end of a control link in a test: a real Unix socket in a directory of its own, read and written by hand.
#pragma once

#include "guest/link/unix_dial.hpp"
#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/framing/frame.hpp"
#include "shared/protocol/codec.hpp"

#include <catch2/catch_test_macros.hpp>

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <functional>
#include <string>

namespace vigil::guest::link {

inline const BootId test_boot("01234567-89ab-cdef-0123-456789abcdef");

inline protocol::Welcome make_welcome(const std::string& token) {
  protocol::Welcome welcome;
  welcome.token = token;
  return welcome;
}

class HostEnd {
public:
  explicit HostEnd(EventLoop& loop) : loop_(loop) {
    REQUIRE(::mkdtemp(folder_) != nullptr);
    path_ = std::string(folder_) + "/link";
  }
  ~HostEnd() {
    ::unlink(path_.c_str());
    ::rmdir(folder_);
  }

  const std::string& path() const { return path_; }

  void listen() {
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    accept_watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
  }

  /// Turns the loop until `done`, at most half a minute.
  void until(const std::function<bool()>& done) {
    const MonoUs limit = loop_.now_us() + 30'000'000;
    while (!done() && loop_.now_us() < limit) loop_.run_once(std::chrono::milliseconds(20));
    REQUIRE(done());
  }

  protocol::Message receive() {
    until([this] { return !received.empty(); });
    auto message = std::move(received.front());
    received.pop_front();
    return message;
  }

  template <class Content>
  Content receive_a() {
    auto message = receive();
    REQUIRE(std::holds_alternative<Content>(message.content));
    return std::get<Content>(std::move(message.content));
  }

  void send_bytes(std::string_view bytes) { REQUIRE(::send(link_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())); }
  template <class Content>
  void send(Content content) { send_bytes(framing::make_frame(protocol::encode(protocol::Message{test_boot, 0, std::move(content)}))); }

  void welcome(const std::string& token) { send(make_welcome(token)); }

  void hang_up() {
    read_watch_.cancel();
    link_.reset();
  }
  /// Takes the connection out of the loop: nothing is read until resume_reading().
  void stop_reading() { read_watch_.cancel(); }
  void resume_reading() {
    read_watch_ = loop_.watch(link_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
  }

  std::deque<protocol::Message> received;
  int accepted = 0;
  bool closed = false;
  UniqueFd link_;

private:
  void accept() {
    link_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ++accepted;
    closed = false;
    reader_ = framing::FrameReader();
    resume_reading();
  }

  void read() {
    char bytes[4096];
    const ssize_t count = ::recv(link_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (count <= 0) {
      closed = true;
      read_watch_.cancel();
      return;
    }
    reader_.feed(std::string_view(bytes, static_cast<std::size_t>(count)));
    for (;;) {
      auto frame = reader_.next();
      REQUIRE(frame.has_value());
      if (!*frame) return;
      auto message = protocol::decode(**frame);
      INFO(**frame << "\n" << (message ? "" : message.error().message()));
      REQUIRE(message.has_value());
      received.push_back(std::move(*message));
    }
  }

  EventLoop& loop_;
  char folder_[32] = "/tmp/vigil-link-test-XXXXXX";
  std::string path_;
  UniqueFd listener_;
  framing::FrameReader reader_;
  LoopToken accept_watch_, read_watch_;
};

}  // namespace vigil::guest::link

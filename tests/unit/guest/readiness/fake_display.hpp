// An X display of the test's own making, on a Unix socket: it lets everybody in, has at most one window, and tells whose it is.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"
#include "tests/unit/guest/readiness/x11_bytes.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace vigil::guest::readiness {

class FakeDisplay {
public:
  /// `owner` gives the process of the window, asked when a client asks.
  FakeDisplay(EventLoop& loop, const std::string& path, std::function<std::uint32_t()> owner)
      : loop_(loop), path_(path), owner_(std::move(owner)) {
    ::mkdir("/tmp/.X11-unix", 01777);
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
    accepting_ = loop.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
  }
  FakeDisplay(const FakeDisplay&) = delete;
  FakeDisplay& operator=(const FakeDisplay&) = delete;
  ~FakeDisplay() { ::unlink(path_.c_str()); }

  void show_window() {
    shown_ = true;
    if (client_) say(x11_bytes::property_notify(list_atom));
  }

private:
  static constexpr std::uint32_t list_atom = 77, window = 0x400001;
  static constexpr std::uint8_t resource = 150;

  void accept() {
    client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    unread_.clear();
    sequence_ = 0;
    is_open_ = false;
    reading_ = loop_.watch(client_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
  }

  void read() {
    char bytes[4096];
    const ssize_t count = ::recv(client_.get(), bytes, sizeof bytes, 0);
    if (count <= 0) {
      reading_.cancel();
      return client_.reset();
    }
    unread_.append(bytes, static_cast<std::size_t>(count));
    if (!is_open_ && unread_.size() >= 12) {
      unread_.erase(0, 12);
      is_open_ = true;
      say(x11_bytes::setup_reply(640, 480));
    }
    while (is_open_ && answer_one()) {}
  }

  bool answer_one() {
    if (unread_.size() < 4) return false;
    std::uint16_t words = 0;
    std::memcpy(&words, unread_.data() + 2, sizeof words);
    if (unread_.size() < words * 4UL) return false;
    const auto opcode = static_cast<std::uint8_t>(unread_[0]);
    unread_.erase(0, words * 4UL);
    ++sequence_;
    if (opcode == 98)
      say(x11_bytes::extension(sequence_, resource));
    else if (opcode == 16)
      say(x11_bytes::atom(sequence_, list_atom));
    else if (opcode == 20)
      say(x11_bytes::windows(sequence_, shown_ ? std::vector{window} : std::vector<std::uint32_t>{}));
    else if (opcode == resource)
      say(x11_bytes::process(sequence_, window, owner_()));
    return true;
  }

  void say(const std::string& bytes) const { ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  EventLoop& loop_;
  std::string path_, unread_;
  std::function<std::uint32_t()> owner_;
  UniqueFd listener_, client_;
  std::uint16_t sequence_ = 0;
  bool is_open_ = false, shown_ = false;
  LoopToken accepting_, reading_;
};

}  // namespace vigil::guest::readiness

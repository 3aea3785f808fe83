// A Unix socket that many may connect to: what a simulated VM listens on.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace vigil::fleet {

class SocketServer {
public:
  /// Takes from `unread` what it understands and appends to `answer` what it says to it. False: the connection is closed.
  using OnBytes = std::function<bool(std::uint64_t connection, std::string& unread, std::string& answer)>;

  SocketServer(guest::EventLoop& loop, const std::string& path, OnBytes on_bytes, std::string greeting = "");
  /// Unasked, with a socket of ours for the other side. False: there is no such connection any more, or it does not read.
  bool pass(std::uint64_t connection, const std::string& bytes, int socket);
  /// To a connection that may have gone.
  void say_to(std::uint64_t connection, const std::string& bytes);
  std::size_t connections() const { return peers_.size(); }
  std::uint64_t accepted() const { return accepted_; }

private:
  struct Peer {
    UniqueFd socket;
    guest::LoopToken watch;
    std::string unread;
  };

  void accept_one();
  void read_from(std::uint64_t number);
  static bool say(int socket, const std::string& bytes);

  guest::EventLoop& loop_;
  OnBytes on_bytes_;
  std::string greeting_;
  UniqueFd listener_;
  guest::LoopToken watch_;
  std::map<std::uint64_t, Peer> peers_;
  std::uint64_t accepted_ = 0;
};

}  // namespace vigil::fleet

// A connection to a D-Bus peer over a Unix socket, without a bus between: what systemd offers root on its private socket.
//
// Shape:  open() connects and asks to be let in; calls may be made at once and go out when we are. A reply handler is called once, with the answer or an Error; the connection's end
//         fails all that are outstanding, then calls `lost`, from which the owner may destroy it.
// Errors: open(): Errc::unavailable. A handler gets Errc::unavailable for the connection's end, else the peer's error as text.
// Source: D-Bus specification, "Authentication Protocol" (EXTERNAL). Thread: the loop's.
#pragma once

#include "guest/dbus/message.hpp"
#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace vigil::guest::dbus {

class Connection {
public:
  using ReplyHandler = std::function<void(const Result<Message>&)>;
  struct Events {
    std::function<void(const Message&)> signalled;
    std::function<void(const std::string& why)> lost;
  };
  static constexpr std::size_t max_outstanding = 4096;

  static Result<std::unique_ptr<Connection>> open(EventLoop& loop, const std::string& path, Events events);
  Connection(EventLoop& loop, UniqueFd fd, Events events);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  void call(const Call& call, ReplyHandler handler);

private:
  void on_ready(std::uint32_t epoll_events);
  void read_in();
  bool take_handshake();
  void take_messages();
  void take(const Message& message);
  void write_out();
  void end(const std::string& why);

  EventLoop& loop_;
  UniqueFd fd_;
  Events events_;
  bool let_in_ = false;
  std::string lines_;  // of the handshake, not yet whole
  std::string out_, held_back_;  // held back until we are let in
  MessageReader reader_;
  std::uint32_t serial_ = 0;
  std::map<std::uint32_t, ReplyHandler> outstanding_;
  LoopToken watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a handler may destroy us
};

}  // namespace vigil::guest::dbus

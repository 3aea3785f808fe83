// The agent's own Unix socket for root inside the VM.
//
// Shape:  at most 16 connections, each with one line of at most 4 KiB under way; one that says nothing for 30 s is closed. A peer that is neither root nor the
//         agent's own user is refused, whatever the file's mode says.
// Errors: a socket that cannot be made is said in the log; the agent lives without it.
// Thread: the loop's. Source: unix(7) SO_PEERCRED.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/protocol/control.hpp"

#include <functional>
#include <list>
#include <string>

namespace vigil::guest::control {

class ControlSocket {
public:
  using Answer = std::function<Result<std::string>(const protocol::Request&)>;  // the result's JSON

  ControlSocket(EventLoop& loop, std::string path, Answer answer);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  bool is_listening() const { return static_cast<bool>(listener_); }

private:
  struct Connection {
    UniqueFd fd;
    std::string unread, unsent;
    LoopToken io, idle;
  };
  using Place = std::list<Connection>::iterator;

  bool listen_at(const std::string& path);
  void take_connection();
  void on_ready(Place connection, std::uint32_t epoll_events);
  bool read_in(Connection& connection);
  bool write_out(Connection& connection);
  void rearm_idle(Place connection);

  EventLoop& loop_;
  std::string path_;
  Answer answer_;
  UniqueFd listener_;
  LoopToken token_;
  std::list<Connection> connections_;
};

}  // namespace vigil::guest::control

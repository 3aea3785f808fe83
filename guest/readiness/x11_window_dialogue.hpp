// Is a window of certain processes on the display: one that the window manager keeps (it is, or was, shown), made by a process that `is_own` knows.
//
// Shape:  told by the server's own events, never asked again by a clock: the list of windows is read when it changes, and each window's process once.
// Source: EWMH 1.5 _NET_CLIENT_LIST; X-Resource 1.2 QueryClientIds: the process at the other end of the window's connection, as the kernel named it to the server.
#pragma once

#include "guest/readiness/x11_talk.hpp"

#include <sys/types.h>

#include <optional>
#include <set>

namespace vigil::guest::readiness {

class X11WindowDialogue final : public X11Talk {
public:
  using IsOwn = std::function<bool(pid_t)>;

  X11WindowDialogue(protocol::CauseField port, IsOwn is_own) : X11Talk(std::move(port)), is_own_(std::move(is_own)) {}

private:
  void opened(const x11::Setup& setup) override;
  void event(const x11::Message& event) override;
  Turn judge() override;
  void look();
  void look_through(const std::vector<std::uint32_t>& windows);
  void ask_whose(std::uint32_t window);
  void answered();

  IsOwn is_own_;
  std::uint32_t root_ = 0, list_atom_ = 0;
  std::optional<std::uint8_t> resource_extension_;
  std::set<std::uint32_t> foreign_;  // of other processes; a window's does not change
  std::size_t unanswered_ = 0;  // of this look: one at a time, whatever the display says meanwhile
  bool changed_ = false, found_ = false;
};

}  // namespace vigil::guest::readiness

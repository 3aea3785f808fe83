// {"x11":{"display":":0","size":"1280x800","window_manager":true}}: the display accepts a connection; its root has the size; a window manager runs on it.
//
// A size that differs is service.screen_size, a missing window manager service.no_window_manager; both are watched by the server's own events, on the same
// connection, until they are mended. What is not X11 is service.wrong_protocol. No cookie is shown: a display that demands one refuses, and its words are the
// time-out's evidence.
// Source: EWMH 1.5 _NET_SUPPORTING_WM_CHECK: a property of the root names a window, which has the same property naming itself.
#pragma once

#include "guest/readiness/x11_talk.hpp"

namespace vigil::guest::readiness {

class X11Dialogue final : public X11Talk {
public:
  X11Dialogue(const service_spec::X11Probe& spec, protocol::CauseField port) : X11Talk(std::move(port)), spec_(spec) {}

private:
  void opened(const x11::Setup& setup) override;
  void event(const x11::Message& event) override;
  Turn judge() override;
  void check_window_manager();
  void check_window(std::uint32_t window);

  service_spec::X11Probe spec_;
  bool manager_found_ = false, asks_for_manager_ = false;
  std::uint32_t root_ = 0, check_atom_ = 0;
  service_spec::ScreenSize size_;
};

}  // namespace vigil::guest::readiness

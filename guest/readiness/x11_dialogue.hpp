// {"x11":{"display":":0","size":"1280x800","window_manager":true}}: the display accepts a connection; its root has the size; a window manager runs on it.
//
// A size that differs is service.screen_size, a missing window manager service.no_window_manager; both are watched by the server's own events, on the same
// connection, until they are mended. What is not X11 is service.wrong_protocol. No cookie is shown: a display that demands one refuses, and its words are the
// time-out's evidence.
// Source: EWMH 1.5 _NET_SUPPORTING_WM_CHECK: a property of the root names a window, which has the same property naming itself.
#pragma once

#include "guest/readiness/dialogue.hpp"
#include "guest/readiness/x11_wire.hpp"

#include <deque>

namespace vigil::guest::readiness {

class X11Dialogue final : public Dialogue {
public:
  X11Dialogue(const service_spec::X11Probe& spec, protocol::CauseField port) : Dialogue(std::move(port)), spec_(spec) {}

  std::string begin() override;
  Turn take(std::string& unread, Input input) override;

private:
  enum class Asked { size, atom, root_property, check_window };
  struct Question {
    Asked asked;
    std::uint16_t sequence;
    std::uint32_t window;
  };

  Turn take_setup(std::string& unread, Input input);
  void hear(const x11::Message& message);
  void hear_answer(const Question& question, const x11::Message& message);
  void ask(Asked asked, const std::string& request, std::uint32_t window = 0);
  void tell(const std::string& request);
  void check_window_manager();
  Turn judge();

  service_spec::X11Probe spec_;
  bool set_up_ = false, manager_found_ = false;
  std::uint32_t root_ = 0, check_atom_ = 0;
  service_spec::ScreenSize size_;
  std::uint16_t requests_ = 0;
  std::deque<Question> questions_;  // not answered yet
  std::string send_;
};

}  // namespace vigil::guest::readiness

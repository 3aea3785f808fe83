#include "guest/readiness/x11_dialogue.hpp"

#include <utility>

namespace vigil::guest::readiness {

using protocol::CauseCode;
using protocol::make_cause;

void X11Dialogue::opened(const x11::Setup& setup) {
  manager_found_ = asks_for_manager_ = false;
  check_atom_ = 0;
  root_ = setup.root;
  size_ = setup.size;
  if (spec_.size || spec_.window_manager) tell(x11::watch_window_request(root_));
  if (spec_.size)   // it may have changed since
    ask(x11::geometry_request(root_), [this](const x11::Message* reply) {
      if (reply != nullptr) size_ = x11::geometry_of(*reply);
    });
  if (spec_.window_manager)
    ask(x11::atom_request("_NET_SUPPORTING_WM_CHECK"), [this](const x11::Message* reply) {
      check_atom_ = reply == nullptr ? 0 : x11::atom_of(*reply);
      if (check_atom_ != 0) check_window_manager();
    });
}

void X11Dialogue::event(const x11::Message& event) {
  if (event.type == x11::Message::configure_notify && x11::window_of(event) == root_) size_ = x11::size_of(event);
  if (event.type == x11::Message::property_notify && check_atom_ != 0 && x11::property_of(event) == check_atom_) check_window_manager();
}

void X11Dialogue::check_window_manager() {
  manager_found_ = false;
  if (std::exchange(asks_for_manager_, true)) return;
  ask(x11::window_property_request(root_, check_atom_), [this](const x11::Message* reply) {
    asks_for_manager_ = false;
    const auto window = reply == nullptr ? std::nullopt : x11::window_property_of(*reply);
    if (window) check_window(*window);
  });
}

void X11Dialogue::check_window(std::uint32_t window) {
  tell(x11::watch_window_request(window));   // before we look: its property may follow that of the root
  ask(x11::window_property_request(window, check_atom_), [this, window](const x11::Message* reply) {
    manager_found_ = reply != nullptr && x11::window_property_of(*reply) == window;
  });
}

Turn X11Dialogue::judge() {
  Turn turn;
  turn.kind = Turn::Kind::waiting;
  if (spec_.size && *spec_.size != size_) {
    turn.seen = "the screen is " + service_spec::to_text(size_);
    turn.finding = make_cause(CauseCode::service_screen_size,
                              {{"wanted", service_spec::to_text(*spec_.size)}, {"found", service_spec::to_text(size_)}});
  } else if (spec_.window_manager && !manager_found_) {
    turn.seen = "no window manager";
    turn.finding = make_cause(CauseCode::service_no_window_manager);
  } else {
    turn.kind = Turn::Kind::passed;
  }
  return turn;
}

}  // namespace vigil::guest::readiness

#include "guest/readiness/x11_window_dialogue.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::readiness {

void X11WindowDialogue::opened(const x11::Setup& setup) {
  root_ = setup.root;
  list_atom_ = 0;
  unanswered_ = 0;
  changed_ = found_ = false;
  resource_extension_.reset();
  foreign_.clear();
  tell(x11::watch_window_request(root_));   // before we look: so no change is missed
  ask(x11::extension_request("X-Resource"), [this](const x11::Message* reply) {
    if (reply != nullptr) resource_extension_ = x11::extension_of(*reply);
  });
  ask(x11::atom_request("_NET_CLIENT_LIST"), [this](const x11::Message* reply) {
    if (reply != nullptr) list_atom_ = x11::atom_of(*reply);
    look();
  });
}

void X11WindowDialogue::event(const x11::Message& event) {
  if (event.type == x11::Message::property_notify && list_atom_ != 0 && x11::property_of(event) == list_atom_) look();
}

void X11WindowDialogue::look() {
  if (list_atom_ == 0 || !resource_extension_) return;
  changed_ = unanswered_ > 0;
  if (changed_) return;
  ++unanswered_;
  ask(x11::window_list_request(root_, list_atom_), [this](const x11::Message* reply) {
    if (reply != nullptr) look_through(x11::windows_of(*reply));
    answered();
  });
}

void X11WindowDialogue::look_through(const std::vector<std::uint32_t>& windows) {
  std::erase_if(foreign_, [&](std::uint32_t window) { return std::ranges::find(windows, window) == windows.end(); });
  for (const auto window : windows)
    if (!foreign_.contains(window)) ask_whose(window);
}

void X11WindowDialogue::ask_whose(std::uint32_t window) {
  ++unanswered_;
  ask(x11::client_process_request(*resource_extension_, window), [this, window](const x11::Message* reply) {
    const auto process = reply == nullptr ? std::nullopt : x11::process_of(*reply);
    if (process && is_own_(static_cast<pid_t>(*process)))
      found_ = true;
    else
      foreign_.insert(window);
    answered();
  });
}

void X11WindowDialogue::answered() {
  if (--unanswered_ == 0 && std::exchange(changed_, false)) look();
}

Turn X11WindowDialogue::judge() {
  Turn turn;
  turn.kind = found_ ? Turn::Kind::passed : Turn::Kind::waiting;
  if (found_) return turn;
  if (!resource_extension_)
    turn.seen = "the display does not say whose its windows are: it has no X-Resource extension";
  else if (foreign_.empty())
    turn.seen = "no window";
  else
    turn.seen = "no window of its own among " + std::to_string(foreign_.size());
  return turn;
}

}  // namespace vigil::guest::readiness

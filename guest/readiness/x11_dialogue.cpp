#include "guest/readiness/x11_dialogue.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::readiness {

using protocol::CauseCode;
using protocol::make_cause;

std::string X11Dialogue::begin() {
  set_up_ = manager_found_ = false;
  requests_ = 0;
  questions_.clear();
  send_.clear();
  return x11::setup_request();
}

Turn X11Dialogue::take(std::string& unread, Input input) {
  if (!set_up_) {
    Turn turn = take_setup(unread, input);
    if (!set_up_) return turn;
  }
  x11::Message message;
  std::size_t understood = 0;
  x11::Progress progress{};
  while ((progress = x11::read_message(std::string_view(unread).substr(understood), message)) == x11::Progress::complete) {
    understood += message.bytes.size();
    hear(message);
  }
  unread.erase(0, understood);
  if (progress == x11::Progress::too_long) return wrong_protocol("x11", "a message longer than any that was asked for");
  return judge();
}

Turn X11Dialogue::take_setup(std::string& unread, Input input) {
  const x11::Setup setup = x11::read_setup(unread);
  switch (setup.kind) {
    case x11::Setup::Kind::incomplete:
      if (input == Input::goes_on) return {};
      return unread.empty() ? closed_silently() : wrong_protocol("x11", start_of(unread));
    case x11::Setup::Kind::not_x11: return wrong_protocol("x11", start_of(unread));
    case x11::Setup::Kind::refused: return {Turn::Kind::failed, {}, "the display refused: " + start_of(setup.reason)};
    case x11::Setup::Kind::accepted: break;
  }
  unread.erase(0, setup.bytes);
  set_up_ = true;
  root_ = setup.root;
  size_ = setup.size;
  if (spec_.size || spec_.window_manager) tell(x11::watch_window_request(root_));
  if (spec_.size) ask(Asked::size, x11::geometry_request(root_));   // it may have changed since
  if (spec_.window_manager) ask(Asked::atom, x11::atom_request("_NET_SUPPORTING_WM_CHECK"));
  return {};
}

void X11Dialogue::hear(const x11::Message& message) {
  if (message.type == x11::Message::configure_notify && x11::window_of(message) == root_) size_ = x11::size_of(message);
  if (message.type == x11::Message::property_notify && check_atom_ != 0 && x11::property_of(message) == check_atom_) check_window_manager();
  if (message.type != x11::Message::reply && message.type != x11::Message::error) return;
  const auto question =
      std::find_if(questions_.begin(), questions_.end(), [&](const Question& each) { return each.sequence == message.sequence; });
  if (question == questions_.end()) return;
  const Question answered = *question;
  questions_.erase(question);
  hear_answer(answered, message);
}

void X11Dialogue::hear_answer(const Question& question, const x11::Message& message) {
  const bool is_error = message.type == x11::Message::error;   // a window that has gone, say
  switch (question.asked) {
    case Asked::size:
      if (!is_error) size_ = x11::geometry_of(message);
      return;
    case Asked::atom:
      check_atom_ = is_error ? 0 : x11::atom_of(message);
      if (check_atom_ != 0) check_window_manager();
      return;
    case Asked::root_property: {
      const auto window = is_error ? std::nullopt : x11::window_property_of(message);
      if (!window) return;
      tell(x11::watch_window_request(*window));   // before we look: its property may follow that of the root
      return ask(Asked::check_window, x11::window_property_request(*window, check_atom_), *window);
    }
    case Asked::check_window: manager_found_ = !is_error && x11::window_property_of(message) == question.window; return;
  }
}

void X11Dialogue::check_window_manager() {
  const bool asked =
      std::any_of(questions_.begin(), questions_.end(), [](const Question& each) { return each.asked == Asked::root_property; });
  manager_found_ = false;
  if (!asked) ask(Asked::root_property, x11::window_property_request(root_, check_atom_));
}

void X11Dialogue::ask(Asked asked, const std::string& request, std::uint32_t window) {
  tell(request);
  questions_.push_back({asked, requests_, window});
}

void X11Dialogue::tell(const std::string& request) {
  send_ += request;
  ++requests_;
}

Turn X11Dialogue::judge() {
  Turn turn;
  turn.send = std::exchange(send_, {});
  if (!questions_.empty()) return turn;
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

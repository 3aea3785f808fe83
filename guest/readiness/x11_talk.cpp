#include "guest/readiness/x11_talk.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::readiness {

std::string X11Talk::begin() {
  set_up_ = false;
  requests_ = 0;
  questions_.clear();
  send_.clear();
  return x11::setup_request();
}

Turn X11Talk::take(std::string& unread, Input input) {
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
  Turn turn = questions_.empty() ? judge() : Turn{};
  turn.send = std::exchange(send_, {});
  return turn;
}

Turn X11Talk::take_setup(std::string& unread, Input input) {
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
  opened(setup);
  return {};
}

void X11Talk::hear(const x11::Message& message) {
  if (message.type != x11::Message::reply && message.type != x11::Message::error) return event(message);
  const auto question =
      std::find_if(questions_.begin(), questions_.end(), [&](const Question& each) { return each.sequence == message.sequence; });
  if (question == questions_.end()) return;
  const Answer answer = std::move(question->answer);
  questions_.erase(question);
  answer(message.type == x11::Message::reply ? &message : nullptr);
}

void X11Talk::ask(const std::string& request, Answer answer) {
  tell(request);
  questions_.push_back({requests_, std::move(answer)});
}

void X11Talk::tell(const std::string& request) {
  send_ += request;
  ++requests_;
}

}  // namespace vigil::guest::readiness

// What every conversation with an X display begins with, and how its answers find who asked: the protocol's order, by sequence number.
//
// Shape:  a question has one answer, or an error (of a window that has gone, say), for which there is no message. judge() is asked whenever nothing is unanswered.
#pragma once

#include "guest/readiness/dialogue.hpp"
#include "guest/readiness/x11_wire.hpp"

#include <deque>
#include <functional>
#include <string>

namespace vigil::guest::readiness {

class X11Talk : public Dialogue {
public:
  using Dialogue::Dialogue;

  std::string begin() final;
  Turn take(std::string& unread, Input input) final;

protected:
  using Answer = std::function<void(const x11::Message* reply)>;  // nullptr: it was an error

  /// The display has let us in. Also of a later connection: what was known before is not known any more.
  virtual void opened(const x11::Setup& setup) = 0;
  virtual void event(const x11::Message& event) = 0;
  virtual Turn judge() = 0;

  void ask(const std::string& request, Answer answer);
  void tell(const std::string& request);

private:
  struct Question {
    std::uint16_t sequence;
    Answer answer;
  };

  Turn take_setup(std::string& unread, Input input);
  void hear(const x11::Message& message);

  bool set_up_ = false;
  std::uint16_t requests_ = 0;
  std::deque<Question> questions_;  // not answered yet
  std::string send_;
};

}  // namespace vigil::guest::readiness

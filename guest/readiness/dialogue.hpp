// What is said to a local service, and what its answers mean: one class a protocol.
//
// Shape:  no I/O: bytes come in, a Turn goes out. begin() starts anew and gives the first words; take() is asked each time something has arrived, and once
//         more when the service has closed or has sent more than the Conversation keeps. What take() has understood it may erase from `unread`.
//         The service is hostile input: every length is checked, nothing is kept beyond what the protocol needs.
#pragma once

#include "shared/protocol/cause.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::readiness {

struct Turn {
  enum class Kind {
    more,  // an answer is owed; too late is service.not_answering
    waiting,  // nothing is owed: the service will say by itself when it has changed
    passed,
    failed,  // to be tried anew
  };
  Kind kind = Kind::more;
  std::string send = {};  // more, waiting
  std::string seen = {};  // failed, waiting
  std::optional<protocol::Cause> finding = {};  // failed, waiting
};

enum class Input { goes_on, has_ended };

class Dialogue {
public:
  /// `port` is how causes name the place: a number, or a socket's path.
  explicit Dialogue(protocol::CauseField port) : port_(std::move(port)) {}
  Dialogue(const Dialogue&) = delete;
  Dialogue& operator=(const Dialogue&) = delete;
  virtual ~Dialogue() = default;

  virtual std::string begin() = 0;
  virtual Turn take(std::string& unread, Input input) = 0;
  /// What to say once to a service that was to speak first and has said nothing for half of its time; empty: nothing, it goes on being waited for.
  virtual std::string when_silent() { return {}; }

  const protocol::CauseField& port() const { return port_; }

protected:
  /// service.wrong_protocol; `got` in words, or the start of what came.
  Turn wrong_protocol(const std::string& expected, const std::string& got) const;
  /// The connection was closed without a word: service.not_answering.
  Turn closed_silently() const;
  static std::string start_of(std::string_view bytes);

private:
  protocol::CauseField port_;
};

}  // namespace vigil::guest::readiness

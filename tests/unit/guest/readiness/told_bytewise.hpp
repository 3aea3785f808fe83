// What a dialogue makes of bytes that come one by one, as the worst of networks would bring them.
#pragma once

#include "guest/readiness/dialogue.hpp"

#include <string>
#include <string_view>

namespace vigil::guest::readiness {

/// The last turn; all that was to be sent is added to `sent`.
inline Turn told_bytewise(Dialogue& dialogue, std::string& unread, std::string& sent, std::string_view bytes) {
  Turn last;
  for (const char byte : bytes) {
    unread += byte;
    last = dialogue.take(unread, Input::goes_on);
    sent += last.send;
    if (last.kind == Turn::Kind::failed || last.kind == Turn::Kind::passed) break;
  }
  return last;
}

}  // namespace vigil::guest::readiness

#include "guest/readiness/rfb_dialogue.hpp"

namespace vigil::guest::readiness {

RfbBanner read_rfb_banner(std::string_view bytes) {
  constexpr std::string_view pattern = "RFB 000.000\n";
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (i == bytes.size()) return RfbBanner::incomplete;
    const bool fits = pattern[i] == '0' ? bytes[i] >= '0' && bytes[i] <= '9' : bytes[i] == pattern[i];
    if (!fits) return RfbBanner::wrong;
  }
  return RfbBanner::right;
}

Turn RfbDialogue::take(std::string& unread, Input input) {
  switch (read_rfb_banner(unread)) {
    case RfbBanner::right: return {Turn::Kind::passed};
    case RfbBanner::wrong: return wrong_protocol("rfb", start_of(unread));
    case RfbBanner::incomplete: break;
  }
  if (input == Input::goes_on) return {};
  return unread.empty() ? closed_silently() : wrong_protocol("rfb", start_of(unread));
}

/// Two ends of line, for what reads lines until an empty one; a server of this protocol never gets so far without its greeting.
std::string RfbDialogue::when_silent() { return "RFB 003.008\n\r\n\r\n"; }

}  // namespace vigil::guest::readiness

// {"rfb":{"port":N}}: the server greets with a banner of the remote frame buffer protocol (VNC).
//
// Other first bytes are service.wrong_protocol. A server that says nothing may be one that waits for its client (HTTP): after half of its time it is told the viewer's
// own banner, and what it answers to that is judged like a greeting. The connection ends after the banner; a server that leaves with its only viewer (x11vnc without
// -forever) would end with it. Source: RFC 6143 §7.1.1.
#pragma once

#include "guest/readiness/dialogue.hpp"
#include "shared/service_spec/service_spec.hpp"

namespace vigil::guest::readiness {

enum class RfbBanner { incomplete, right, wrong };

/// "RFB 003.008\n"
RfbBanner read_rfb_banner(std::string_view bytes);

class RfbDialogue final : public Dialogue {
public:
  explicit RfbDialogue(const service_spec::RfbProbe& spec) : Dialogue(std::int64_t{spec.port}) {}

  std::string begin() override { return {}; }
  Turn take(std::string& unread, Input input) override;
  std::string when_silent() override;
};

}  // namespace vigil::guest::readiness

// The service listens on a TCP port, and a dialogue with it ends well: the http, websocket and rfb probes.
//
// The first connection is made when the service listens, not before.
#pragma once

#include "guest/readiness/conversation.hpp"
#include "guest/readiness/own_listener.hpp"

namespace vigil::guest::readiness {

class DialogueProbe final : public Probe {
public:
  DialogueProbe(std::uint16_t port, const std::string& address, std::unique_ptr<Dialogue> dialogue, ProbeTools& tools,
                const ProbeEvents& events)
      : conversation_(tcp_endpoint(address, port), std::move(dialogue), tools.loop, tools.deadline_scale, events),
        listener_(port, address, tools, {[this] { conversation_.start(); }, events.finding_changed}) {}

  void begin(const process::ProcessGroup& group) override { listener_.begin(group); }
  std::optional<protocol::Cause> finding() const override {
    return conversation_.finding() ? conversation_.finding() : listener_.finding();
  }
  std::string seen() const override { return conversation_.seen(); }

private:
  Conversation conversation_;
  OwnListener listener_;
};

}  // namespace vigil::guest::readiness

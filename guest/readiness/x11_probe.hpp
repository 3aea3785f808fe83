// Waits for an X server's socket, then speaks with it (x11_dialogue.hpp).
//
// The display must be the service's own: another process's is service.display_taken (service.port_taken on TCP). A probe that asks for a window manager
// or a window may look at anybody's display: it belongs to the service of who draws there.
#pragma once

#include "guest/readiness/conversation.hpp"
#include "guest/readiness/own_listener.hpp"
#include "guest/readiness/unix_probe.hpp"

namespace vigil::guest::readiness {

class X11Probe final : public Probe {
public:
  X11Probe(const service_spec::X11Probe& spec, ProbeTools& tools, const ProbeEvents& events);

  void begin(const process::ProcessGroup& group) override;
  std::optional<protocol::Cause> finding() const override;
  std::string seen() const override;

private:
  std::unique_ptr<Dialogue> make_dialogue() const;
  std::optional<protocol::Cause> check_peer(int socket) const;

  service_spec::X11Probe spec_;
  ProbeTools& tools_;
  process::ProcessGroup group_;
  Conversation conversation_;
  std::optional<UnixProbe> path_;  // one of these two
  std::optional<OwnListener> listener_;
};

}  // namespace vigil::guest::readiness

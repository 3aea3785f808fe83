// {"tcp":{"port":N,"address":A}}: the service listens. See OwnListener for how that is known.
#pragma once

#include "guest/readiness/own_listener.hpp"

namespace vigil::guest::readiness {

class TcpProbe final : public Probe {
public:
  TcpProbe(const service_spec::TcpProbe& spec, ProbeTools& tools, ProbeEvents events)
      : listener_(spec.port, spec.address, tools, std::move(events)) {}

  void begin(const process::ProcessGroup& group) override { listener_.begin(group); }
  std::optional<protocol::Cause> finding() const override { return listener_.finding(); }

private:
  OwnListener listener_;
};

}  // namespace vigil::guest::readiness

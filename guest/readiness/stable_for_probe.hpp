// {"stable-for":{"seconds":S}}: the process has lived for so long. For programs that say nothing else; a death drops the probe with its timer.
#pragma once

#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"

#include <utility>

namespace vigil::guest::readiness {

class StableForProbe final : public Probe {
public:
  StableForProbe(const service_spec::StableForProbe& spec, ProbeTools& tools, ProbeEvents events)
      : duration_(spec.duration), loop_(tools.loop), events_(std::move(events)) {}

  void begin(const process::ProcessGroup&) override { timer_ = loop_.after(duration_, events_.passed); }

private:
  std::chrono::milliseconds duration_;
  EventLoop& loop_;
  ProbeEvents events_;
  LoopToken timer_;
};

}  // namespace vigil::guest::readiness

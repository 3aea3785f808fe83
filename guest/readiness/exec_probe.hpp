// {"exec":{"argv":[..],"interval_ms":N}}: a program ends with code 0. The only probe that starts one; it runs as the service, in its cgroup.
#pragma once

#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"

#include <chrono>

namespace vigil::guest::readiness {

class ExecProbe final : public Probe {
public:
  ExecProbe(const service_spec::ExecProbe& spec, ProbeTools& tools, ProbeEvents events);
  ~ExecProbe() override;

  Result<void> prepare(process::LaunchPlan& plan) override;
  void begin(const process::ProcessGroup& group) override;
  std::string seen() const override { return seen_; }

private:
  void run();
  void run_later();
  void ended(const process::ProcessEnd& end);

  ProbeTools& tools_;
  ProbeEvents events_;
  process::LaunchPlan plan_;
  std::chrono::milliseconds interval_;   // from the end of one run to the next
  pid_t pid_ = 0;
  std::string seen_;
  LoopToken next_, overtime_;
};

}  // namespace vigil::guest::readiness

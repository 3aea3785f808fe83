// {"notify-fd":{"fd":N}}: the service writes a line to the descriptor that it inherited as N, s6's convention.
#pragma once

#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"
#include "shared/base/unique_fd.hpp"

namespace vigil::guest::readiness {

class NotifyFdProbe final : public Probe {
public:
  NotifyFdProbe(const service_spec::NotifyFdProbe& spec, ProbeTools& tools, ProbeEvents events);

  Result<void> prepare(process::LaunchPlan& plan) override;
  void begin(const process::ProcessGroup& group) override;
  Kept keep() const override { return {reader_.get(), 0}; }
  void resume(UniqueFd fd, uid_t) override { reader_ = std::move(fd); }
  std::string seen() const override { return seen_; }

private:
  void read_line();

  int target_;
  EventLoop& loop_;
  ProbeEvents events_;
  UniqueFd reader_, writer_;
  std::string seen_;
  LoopToken token_;
};

}  // namespace vigil::guest::readiness

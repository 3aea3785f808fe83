// All probes of one start of a service: ready when every one has passed.
//
// Shape:  prepare() before the launch, begin() after it; `changed` is called, from the loop, after any probe passed or found an obstacle.
#pragma once

#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"
#include "shared/protocol/report.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::readiness {

class ProbeSet {
public:
  ProbeSet(const std::vector<service_spec::ProbeSpec>& specs, const ServiceName& service, ProbeTools& tools, std::function<void()> changed);
  ProbeSet(const ProbeSet&) = delete;
  ProbeSet& operator=(const ProbeSet&) = delete;

  Result<void> prepare(process::LaunchPlan& plan);
  void begin(const process::ProcessGroup& group);

  /// Between two lives of the agent: what had passed, and what the child has the other end of.
  struct Kept {
    protocol::ProbeResult result;
    Probe::Kept probe;
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  std::vector<Kept> keep() const;
  /// In place of prepare() and begin(); of a set made from the same specs.
  void resume(const std::vector<Kept>& kept, const process::ProcessGroup& group);

  bool all_passed() const;
  std::vector<protocol::ProbeResult> results() const;
  /// The named obstacle of the first probe that knows one.
  std::optional<protocol::Cause> finding() const;
  /// What to say when the deadline has passed: the named obstacle, else service.ready_timeout with what the probes saw.
  protocol::Cause timeout_cause() const;

private:
  struct Member {
    protocol::ProbeResult result;
    std::unique_ptr<Probe> probe;
  };
  void passed(std::size_t index);
  void tell();

  EventLoop& loop_;
  std::function<void()> changed_;
  std::vector<Member> members_;
  LoopToken telling_;
};

}  // namespace vigil::guest::readiness

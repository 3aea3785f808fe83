// Whether a unit that systemd calls active can be used: the probes that its file asks for, as for any other service.
//
// Shape:  follow() after each change of the unit's facts; each of its runs is probed anew. `changed` is called when something about it is another than before.
//         `Ready=` in the section [X-Vigil] is what "ready" is in a service file, `ReadyTimeout=` what "ready_timeout_s" is there. What needs a hand in the start
//         (notify-fd, sd-notify) is systemd's: Type=notify.
// Thread: the loop's.
#pragma once

#include "guest/readiness/probe_set.hpp"
#include "guest/systemd/unit_facts.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vigil::guest::systemd {

struct ProbeWishes {
  std::vector<service_spec::ProbeSpec> probes;
  std::chrono::milliseconds timeout{0};
  std::string written = {};  // both keys' values: wishes that are written alike are alike
};

/// The two keys' values, "" where one is not given; or what is wrong with them (service.spec_invalid).
std::variant<ProbeWishes, protocol::Cause> parse_probe_wishes(const std::string& unit_file, const std::string& ready,
                                                              const std::string& ready_timeout);

class UnitProbes {
public:
  UnitProbes(ProbeWishes wishes, const ServiceName& service, readiness::ProbeTools& tools, std::function<void()> changed);
  UnitProbes(const UnitProbes&) = delete;
  UnitProbes& operator=(const UnitProbes&) = delete;

  void follow(const UnitFacts& facts);
  const std::string& written() const { return wishes_.written; }
  /// Of the run that systemd calls active.
  bool passed() const { return set_ && set_->all_passed(); }
  bool is_overdue() const { return is_overdue_ && !passed(); }
  std::vector<protocol::ProbeResult> results() const { return set_ ? set_->results() : std::vector<protocol::ProbeResult>{}; }
  /// Why it has not passed, as far as that is known.
  std::optional<protocol::Cause> cause() const;

private:
  void begin(const UnitFacts& facts);

  const ProbeWishes wishes_;
  const ServiceName service_;
  readiness::ProbeTools& tools_;
  std::function<void()> changed_;
  std::optional<readiness::ProbeSet> set_;
  std::pair<std::string, pid_t> run_;  // invocation and main process of what is probed
  bool is_overdue_ = false;
  LoopToken deadline_;
};

}  // namespace vigil::guest::systemd

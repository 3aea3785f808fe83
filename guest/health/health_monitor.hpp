// Reports the guest's health: every 5 s, at each new link, and at once when the kernel tells of a memory stall, when something is raised, and when a glance
// (beside a death) finds a threshold crossed.
//
// Shape:  thresholds that are crossed are causes of the report until they are left by a margin; what was raised stays for ten minutes.
// Thread: the loop's.
#pragma once

#include "guest/health/health_sample.hpp"
#include "guest/health/kernel_log.hpp"
#include "guest/health/pressure.hpp"
#include "guest/health/top_processes.hpp"
#include "guest/loop/event_loop.hpp"
#include "guest/process/stall_watch.hpp"
#include "guest/report/report_sink.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::health {

struct HealthTools {
  std::function<std::string(pid_t)> service_of;   // empty text: of none
  std::function<void()> looked;                   // beside each look: others that look at the machine have their turn
};

class HealthMonitor {
public:
  enum class Scope { machine, root_only };        // root_only: the machine is not ours; "/" and memory only

  HealthMonitor(EventLoop& loop, ReportSink& sink, Scope scope, HealthTools tools);
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;

  void report_now();
  /// Something that happened and is over: it stays among the causes for ten minutes, and is reported at once.
  void raise(protocol::Cause cause);
  /// A look at the thresholds alone, at most once a second; a report when one was crossed.
  void glance();
  void clock_offset(std::int64_t guest_less_host_us) { clock_offset_us_ = guest_less_host_us; }
  /// As it was last reported.
  const protocol::HealthReport& now() const { return last_; }

private:
  void look();
  std::vector<std::string> mounts() const;
  void add_raised(protocol::HealthReport& report);

  EventLoop& loop_;
  ReportSink& sink_;
  Scope scope_;
  HealthTools tools_;
  TopProcesses top_;
  std::optional<KernelLog> kernel_log_;
  std::optional<process::StallWatch> stalls_;
  std::optional<std::int64_t> clock_offset_us_;
  struct Raised {
    protocol::Cause cause;
    MonoUs until_us = 0;
  };
  std::vector<Raised> raised_;
  std::vector<protocol::Cause> crossed_;   // as they were last reported, without what was raised
  MonoUs glanced_us_ = 0;
  std::uint64_t memory_peak_kib_ = 0;
  protocol::HealthReport last_;
  LoopToken timer_;
};

}  // namespace vigil::guest::health

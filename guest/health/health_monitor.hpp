// Reports the guest's health: at each new link, when a threshold is crossed either way, and once a minute.
// Thread: the loop's. It looks every 2 s.
#pragma once

#include "guest/health/health_sample.hpp"
#include "guest/loop/event_loop.hpp"
#include "guest/report/report_sink.hpp"

namespace vigil::guest::health {

class HealthMonitor {
public:
  HealthMonitor(EventLoop& loop, ReportSink& sink, std::vector<std::string> mounts);
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;

  void report_now();
  /// Something that happened and is over: it stays among the causes for ten minutes, and is reported at once.
  void raise(protocol::Cause cause);

private:
  void look();
  protocol::HealthReport make_report();
  void submit(protocol::HealthReport report);

  EventLoop& loop_;
  ReportSink& sink_;
  std::vector<std::string> mounts_;
  struct Raised {
    protocol::Cause cause;
    MonoUs until_us = 0;
  };

  std::vector<protocol::Cause> crossed_;
  std::vector<Raised> raised_;
  MonoUs reported_us_ = 0;
  LoopToken timer_;
};

}  // namespace vigil::guest::health

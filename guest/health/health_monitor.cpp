#include "guest/health/health_monitor.hpp"

#include <utility>

namespace vigil::guest::health {

using namespace std::chrono_literals;

constexpr auto look_interval = 10s;
constexpr MonoUs report_interval_us = 60'000'000;

HealthMonitor::HealthMonitor(EventLoop& loop, ReportSink& sink, std::vector<std::string> mounts)
    : loop_(loop), sink_(sink), mounts_(std::move(mounts)), reported_us_(loop.now_us()), timer_(loop.after(look_interval, [this] { look(); })) {}

void HealthMonitor::report_now() { submit(to_report(take_sample(mounts_), crossed_)); }

void HealthMonitor::look() {
  timer_ = loop_.after(look_interval, [this] { look(); });
  auto report = to_report(take_sample(mounts_), crossed_);
  if (report.causes != crossed_ || loop_.now_us() - reported_us_ >= report_interval_us) submit(std::move(report));
}

void HealthMonitor::submit(protocol::HealthReport report) {
  crossed_ = report.causes;
  reported_us_ = loop_.now_us();
  sink_.submit(std::move(report));
}

}  // namespace vigil::guest::health

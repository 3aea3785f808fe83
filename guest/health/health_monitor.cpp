#include "guest/health/health_monitor.hpp"

#include <utility>

namespace vigil::guest::health {

using namespace std::chrono_literals;

constexpr auto look_interval = 2s;   // some microseconds of work; a full disk is to be known before what fails of it
constexpr MonoUs report_interval_us = 60'000'000;
constexpr MonoUs raised_for_us = 600'000'000;
constexpr std::size_t most_raised = 8;

HealthMonitor::HealthMonitor(EventLoop& loop, ReportSink& sink, std::vector<std::string> mounts)
    : loop_(loop), sink_(sink), mounts_(std::move(mounts)), reported_us_(loop.now_us()), timer_(loop.after(look_interval, [this] { look(); })) {}

void HealthMonitor::report_now() { submit(make_report()); }

void HealthMonitor::raise(protocol::Cause cause) {
  if (raised_.size() >= most_raised) raised_.erase(raised_.begin());
  raised_.push_back({std::move(cause), loop_.now_us() + raised_for_us});
  report_now();
}

protocol::HealthReport HealthMonitor::make_report() {
  auto report = to_report(take_sample(mounts_), crossed_);
  std::erase_if(raised_, [now = loop_.now_us()](const Raised& raised) { return raised.until_us <= now; });
  for (const Raised& raised : raised_) report.causes.push_back(raised.cause);
  return report;
}

void HealthMonitor::look() {
  timer_ = loop_.after(look_interval, [this] { look(); });
  auto report = make_report();
  if (report.causes != crossed_ || loop_.now_us() - reported_us_ >= report_interval_us) submit(std::move(report));
}

void HealthMonitor::submit(protocol::HealthReport report) {
  crossed_ = report.causes;
  reported_us_ = loop_.now_us();
  sink_.submit(std::move(report));
}

}  // namespace vigil::guest::health

#include "guest/health/health_monitor.hpp"

#include "guest/health/mounts.hpp"
#include "guest/process/small_file.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::health {
namespace {

constexpr std::chrono::milliseconds look_interval{5'000};
constexpr MonoUs raised_for_us = 600'000'000, glance_interval_us = 1'000'000;
constexpr std::size_t most_raised = 8;
constexpr process::StallWatch::Share machine_stalls{std::chrono::milliseconds(300), std::chrono::seconds(2)};

}  // namespace

HealthMonitor::HealthMonitor(EventLoop& loop, ReportSink& sink, Scope scope, HealthTools tools)
    : loop_(loop), sink_(sink), scope_(scope), tools_(std::move(tools)), timer_(loop.after(look_interval, [this] { look(); })) {
  if (scope_ != Scope::machine) return;
  kernel_log_.emplace();
  stalls_.emplace(loop, "/proc/pressure/memory", machine_stalls, [this] { report_now(); });
}

void HealthMonitor::look() {
  timer_ = loop_.after(look_interval, [this] { look(); });
  report_now();
  if (tools_.looked) tools_.looked();
}

void HealthMonitor::report_now() {
  const bool whole = scope_ == Scope::machine;
  protocol::HealthReport report = to_report(take_sample(mounts()), crossed_);
  crossed_ = report.causes;
  memory_peak_kib_ = std::max(memory_peak_kib_, report.memory_total_kib - std::min(report.memory_total_kib, report.memory_available_kib));
  report.memory_peak_kib = memory_peak_kib_;
  report.pressure = read_pressure();
  report.clock_offset_us = clock_offset_us_;
  if (whole) report.top = top_.look(loop_.now_us(), tools_.service_of);
  if (kernel_log_) {
    auto news = kernel_log_->look();
    report.kernel = std::move(news.messages);
    report.kernel_lost = news.lost;
  }
  add_raised(report);
  last_ = report;
  sink_.submit(std::move(report));
}

std::vector<std::string> HealthMonitor::mounts() const {
  if (scope_ != Scope::machine) return {"/"};
  return writable_mounts(process::read_small_file("/proc/self/mountinfo", 256 * 1024).value_or(""));
}

void HealthMonitor::raise(protocol::Cause cause) {
  const auto known = std::ranges::find(raised_, cause, &Raised::cause);
  if (known != raised_.end()) {   // it goes on
    known->until_us = loop_.now_us() + raised_for_us;
    return;
  }
  if (raised_.size() >= most_raised) raised_.erase(raised_.begin());
  raised_.push_back({std::move(cause), loop_.now_us() + raised_for_us});
  report_now();
}

void HealthMonitor::glance() {
  const MonoUs now = loop_.now_us();
  if (glanced_us_ != 0 && now - glanced_us_ < glance_interval_us) return;
  glanced_us_ = now;
  if (to_report(take_sample(mounts()), crossed_).causes != crossed_) report_now();
}

void HealthMonitor::add_raised(protocol::HealthReport& report) {
  std::erase_if(raised_, [now = loop_.now_us()](const Raised& raised) { return raised.until_us <= now; });
  for (const Raised& raised : raised_) report.causes.push_back(raised.cause);
}

}  // namespace vigil::guest::health

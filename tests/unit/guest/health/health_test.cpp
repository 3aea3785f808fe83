#include "guest/health/health_monitor.hpp"
#include "guest/health/health_sample.hpp"

#include "guest/loop/event_loop.hpp"

#include <catch2/catch_test_macros.hpp>

#include <vector>

using namespace vigil;
using namespace vigil::guest::health;

namespace {

HealthSample with_root(std::uint64_t total, std::uint64_t available) {
  HealthSample sample;
  sample.file_systems = {{"/", {total, available}, {1'000, 900}}};
  return sample;
}

}  // namespace

TEST_CASE("health: reads the kernel's text", "[guest][health]") {
  const auto memory = parse_meminfo("MemTotal:         245760 kB\nMemFree:           10 kB\nMemAvailable:     123456 kB\n");
  REQUIRE(memory.total == 245'760);
  REQUIRE(memory.available == 123'456);
  REQUIRE(parse_meminfo("").total == 0);
  REQUIRE(parse_loadavg("1.25 0.10 0.05 2/87 4021\n") == std::pair<std::uint32_t, std::uint32_t>{1'250, 87});
  REQUIRE(parse_loadavg("nonsense") == std::pair<std::uint32_t, std::uint32_t>{0, 0});
}

TEST_CASE("health: a full disk is a cause, and ends only with a margin", "[guest][health]") {
  REQUIRE(to_report(with_root(1'000, 100), {}).causes.empty());
  const auto full = to_report(with_root(1'000, 29), {});
  REQUIRE(full.causes.size() == 1);
  REQUIRE(full.causes[0].text == "guest.disk_full");
  REQUIRE(protocol::field_text(full.causes[0], "mount") == "/");
  REQUIRE(to_report(with_root(1'000, 50), {}).causes.empty());
  REQUIRE(to_report(with_root(1'000, 50), full.causes).causes == full.causes);
  REQUIRE(to_report(with_root(1'000, 61), full.causes).causes.empty());
}

TEST_CASE("health: inodes are judged apart from space, and a file system without them is not full", "[guest][health]") {
  HealthSample sample = with_root(1'000, 900);
  sample.file_systems[0].inodes = {100, 1};
  REQUIRE(to_report(sample, {}).causes.at(0).text == "guest.inodes_full");
  sample.file_systems[0].inodes = {0, 0};
  REQUIRE(to_report(sample, {}).causes.empty());
}

TEST_CASE("health: a real machine has memory, processes and a root", "[guest][health]") {
  const auto report = to_report(take_sample({"/"}), {});
  REQUIRE(report.memory_total_kib > 0);
  REQUIRE(report.memory_available_kib > 0);
  REQUIRE(report.processes > 0);
  REQUIRE(report.root_total_kib > 0);
}

TEST_CASE("health: what happened and is over is reported at once and stays for a while", "[guest][health]") {
  struct Kept final : vigil::guest::ReportSink {
    std::vector<protocol::HealthReport> reports;
    Seq submit(protocol::ReportBody body) override {
      reports.push_back(std::get<protocol::HealthReport>(std::move(body)));
      return reports.size();
    }
  };
  vigil::guest::EventLoop loop;
  Kept sink;
  HealthMonitor monitor(loop, sink, {});
  monitor.raise(protocol::make_cause(protocol::CauseCode::guest_clock_jumped, {{"delta", std::int64_t{3600}}}));
  REQUIRE(sink.reports.size() == 1);
  REQUIRE(sink.reports[0].causes.size() == 1);
  REQUIRE(sink.reports[0].causes[0].text == "guest.clock_jumped");
  REQUIRE(protocol::field_text(sink.reports[0].causes[0], "delta") == "3600");
  monitor.report_now();
  REQUIRE(sink.reports.at(1).causes == sink.reports[0].causes);
  for (int i = 0; i < 20; ++i) monitor.raise(protocol::make_cause(protocol::CauseCode::guest_clock_jumped, {{"delta", std::int64_t{i}}}));
  REQUIRE(sink.reports.back().causes.size() == 8);
}

// What a service's own limits did to it in one life: forks that were refused, processor time that was withheld.
//
// Shape:  a baseline when the life begins, then differences. Without a cgroup there is never any evidence.
// Source: cgroup v2, pids.events and cpu.stat.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::evidence {

struct CpuPeriods {
  std::uint64_t all = 0, throttled = 0;
};

CpuPeriods parse_cpu_stat(std::string_view text);

/// A process that was held back in most periods of its life could not do its work in time.
bool is_starved(const CpuPeriods& periods);

/// What its processes use now, in bytes; 0: not known.
std::uint64_t memory_of(const std::string& cgroup_directory);

class CgroupPressure {
public:
  CgroupPressure() = default;
  explicit CgroupPressure(std::string cgroup_directory) : cgroup_directory_(std::move(cgroup_directory)) {}

  void take_baseline();
  /// For the next life of the agent, which has not seen the process begin.
  struct Baseline {
    std::uint64_t forks_refused = 0;
    CpuPeriods periods;
  };
  Baseline baseline() const { return {refused_before_, periods_before_}; }
  void resume(const Baseline& baseline) { refused_before_ = baseline.forks_refused, periods_before_ = baseline.periods; }
  bool forks_were_refused() const;
  CpuPeriods cpu_periods() const;

private:
  std::string read(const char* file) const;

  std::string cgroup_directory_;
  std::uint64_t refused_before_ = 0;
  CpuPeriods periods_before_;
};

}  // namespace vigil::guest::evidence

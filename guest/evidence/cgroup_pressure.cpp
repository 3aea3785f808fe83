#include "guest/evidence/cgroup_pressure.hpp"

#include "guest/evidence/oom_watch.hpp"
#include "guest/process/small_file.hpp"

#include <charconv>

namespace vigil::guest::evidence {

CpuPeriods parse_cpu_stat(std::string_view text) { return {keyed_counter(text, "nr_periods"), keyed_counter(text, "nr_throttled")}; }

bool is_starved(const CpuPeriods& periods) {
  constexpr std::uint64_t enough_to_judge = 10;   // a second, at the kernel's 100 ms a period
  return periods.all >= enough_to_judge && periods.throttled * 2 > periods.all;
}

std::uint64_t memory_of(const std::string& cgroup_directory) {
  const std::string text = process::read_small_file(cgroup_directory + "/memory.current").value_or("");
  std::uint64_t bytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

void CgroupPressure::take_baseline() {
  if (cgroup_directory_.empty()) return;
  refused_before_ = keyed_counter(read("/pids.events"), "max");
  periods_before_ = parse_cpu_stat(read("/cpu.stat"));
}

bool CgroupPressure::forks_were_refused() const {
  return !cgroup_directory_.empty() && keyed_counter(read("/pids.events"), "max") > refused_before_;
}

CpuPeriods CgroupPressure::cpu_periods() const {
  if (cgroup_directory_.empty()) return {};
  const CpuPeriods now = parse_cpu_stat(read("/cpu.stat"));
  if (now.all < periods_before_.all || now.throttled < periods_before_.throttled) return {};   // another cgroup of that name
  return {now.all - periods_before_.all, now.throttled - periods_before_.throttled};
}

std::string CgroupPressure::read(const char* file) const { return process::read_small_file(cgroup_directory_ + file).value_or(""); }

}  // namespace vigil::guest::evidence

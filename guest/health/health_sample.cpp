#include "guest/health/health_sample.hpp"

#include "guest/process/small_file.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace vigil::guest::health {
namespace {

using protocol::CauseCode;

std::uint64_t leading_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint64_t meminfo_row(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  return at == std::string_view::npos ? 0 : leading_number(text.substr(at + key.size()));
}

// Full below 3 % free, over again above 6 %: a value that wavers does not make a report each time.
bool is_full(const Space& space, bool was_full) { return space.total > 0 && space.available * 100 < space.total * (was_full ? 6U : 3U); }

/// Low below 5 % available, over again above 10 %.
bool is_low(const Space& memory, bool was_low) { return memory.total > 0 && memory.available * 100 < memory.total * (was_low ? 10U : 5U); }

bool was_crossed(const std::vector<protocol::Cause>& before, CauseCode code, const std::optional<std::string>& mount) {
  return std::any_of(before.begin(), before.end(),
                     [&](const protocol::Cause& cause) { return cause.code == code && protocol::field_text(cause, "mount") == mount; });
}

}  // namespace

Space parse_meminfo(std::string_view text) { return {meminfo_row(text, "MemTotal:"), meminfo_row(text, "MemAvailable:")}; }

std::pair<std::uint32_t, std::uint32_t> parse_loadavg(std::string_view text) {
  // "0.25 0.10 0.05 1/87 4021": the kernel prints two decimals.
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return {0, 0};
  const auto load = leading_number(text) * 1000 + leading_number(text.substr(point + 1, 2)) * 10;
  const std::size_t slash = text.find('/');
  const auto processes = slash == std::string_view::npos ? 0 : leading_number(text.substr(slash + 1));
  return {static_cast<std::uint32_t>(load), static_cast<std::uint32_t>(processes)};
}

HealthSample take_sample(const std::vector<std::string>& mounts) {
  HealthSample sample;
  sample.memory_kib = parse_meminfo(process::read_small_file("/proc/meminfo").value_or(""));
  std::tie(sample.load1_permille, sample.processes) = parse_loadavg(process::read_small_file("/proc/loadavg").value_or(""));
  for (const std::string& mount : mounts) {
    struct statvfs status {};
    if (::statvfs(mount.c_str(), &status) != 0) continue;
    sample.file_systems.push_back({mount, {status.f_blocks * status.f_frsize / 1024, status.f_bavail * status.f_frsize / 1024},
                                   {status.f_files, status.f_favail}});
  }
  return sample;
}

protocol::HealthReport to_report(const HealthSample& sample, const std::vector<protocol::Cause>& before) {
  protocol::HealthReport report;
  report.memory_total_kib = sample.memory_kib.total;
  report.memory_available_kib = sample.memory_kib.available;
  report.load1_permille = sample.load1_permille;
  report.processes = sample.processes;
  if (!sample.file_systems.empty()) {
    report.root_total_kib = sample.file_systems.front().kib.total;
    report.root_available_kib = sample.file_systems.front().kib.available;
  }
  if (is_low(sample.memory_kib, was_crossed(before, CauseCode::guest_memory_low, {})))
    report.causes.push_back(protocol::make_cause(CauseCode::guest_memory_low, {{"mib", static_cast<std::int64_t>(sample.memory_kib.total / 1024)}}));
  for (const FileSystemSample& file_system : sample.file_systems) {
    report.file_systems.push_back({file_system.mount, file_system.kib.total, file_system.kib.available, file_system.inodes.total, file_system.inodes.available});
    const auto check = [&](CauseCode code, const Space& space) {
      if (is_full(space, was_crossed(before, code, file_system.mount)))
        report.causes.push_back(protocol::make_cause(code, {{"mount", file_system.mount}}));
    };
    check(CauseCode::guest_disk_full, file_system.kib);
    check(CauseCode::guest_inodes_full, file_system.inodes);
  }
  return report;
}

}  // namespace vigil::guest::health

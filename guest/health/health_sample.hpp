// What the guest looks like at one moment, from /proc and statvfs.
//
// Shape:  parse_* are pure; a file that cannot be read leaves its fields 0. Units: KiB, thousandths of load.
// Source: proc(5) meminfo, loadavg.
#pragma once

#include "shared/protocol/report.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::health {

struct Space { std::uint64_t total = 0, available = 0; };

/// How full one file system is; `mount` names it in causes.
struct FileSystemSample { std::string mount; Space kib, inodes; };

struct HealthSample {
  Space memory_kib;
  std::vector<FileSystemSample> file_systems;   // the first is the root
  std::uint32_t load1_permille = 0, processes = 0;
};

Space parse_meminfo(std::string_view text);
/// {load of the last minute in thousandths, number of processes}
std::pair<std::uint32_t, std::uint32_t> parse_loadavg(std::string_view text);

HealthSample take_sample(const std::vector<std::string>& mounts);

/// The report, with a cause for each threshold that is crossed. `before`: what was crossed last time; those thresholds must be left by a margin before they end.
protocol::HealthReport to_report(const HealthSample& sample, const std::vector<protocol::Cause>& before);

}  // namespace vigil::guest::health

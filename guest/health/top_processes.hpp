// Who uses the machine: the processes that took most processor time since the last look, then most memory.
//
// Shape:  look() reads /proc/PID/stat of at most 1024 processes, of the kernel's own threads, which are most of a small VM's, at every twelfth look only;
//         the first look has no times to compare with. Source: proc(5).
#pragma once

#include "guest/process/process_end.hpp"
#include "shared/protocol/report.hpp"

#include <functional>
#include <map>
#include <vector>

namespace vigil::guest::health {

class TopProcesses {
public:
  static constexpr std::size_t shown = 5;

  std::vector<protocol::ProcessHealth> look(MonoUs now_us, const std::function<std::string(pid_t)>& service_of);

  /// Pure: what look() makes of the readings.
  std::vector<protocol::ProcessHealth> judge(MonoUs now_us, const std::vector<process::ProcessStat>& stats, const std::vector<pid_t>& not_read = {});

private:
  struct Seen {
    std::uint64_t start_ticks = 0, cpu_ticks = 0;
    MonoUs at_us = 0;
    bool of_kernel = false;
  };
  std::map<pid_t, Seen> seen_;
  MonoUs seen_us_ = 0;
  unsigned looks_ = 0;
};

}  // namespace vigil::guest::health

// A process named so that its pid's next owner is never taken for it.
//
// Units:  start_ticks: field 22 of /proc/PID/stat (clock ticks since the host booted); host_boot_id tells one host boot from the next.
// Source: proc(5).
#pragma once

#include "shared/base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace vigil::shim {

struct ProcessIdentity {
  std::int64_t pid = 0;                         // 0: no process
  std::uint64_t start_ticks = 0;
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

std::string host_boot_id();

/// Errors: Errc::not_found when there is no such process.
Result<ProcessIdentity> identify(pid_t pid);

/// False also for a zombie, and when `boot_id` is not this boot's.
bool is_alive(const ProcessIdentity& process, const std::string& boot_id);

/// Sends the signal only when the pid still belongs to that process (pidfd, so without a race). Errc::not_found when it is gone.
Result<void> signal_process(const ProcessIdentity& process, int signal);

}  // namespace vigil::shim

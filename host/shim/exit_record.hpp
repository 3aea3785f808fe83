// exit.json: how one run's VMM ended, as its parent saw it. Written once, atomically (temporary file, fsync, rename, fsync of the directory).
//
// Shape:  `vmm` is 0 and `start_error` is set when the VMM never ran. The device's exit is there when it ended before the VMM did.
// Units:  *_unix_us wall time, *_us microseconds of processor time, *_kib KiB.
// Errors: read_exit_record: Errc::not_found when the run has none (it still runs, or its shim was killed), Errc::invalid when it cannot be read.
#pragma once

#include "host/shim/process_identity.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/report.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::shim {

struct Usage {
  std::uint64_t user_us = 0, system_us = 0, max_rss_kib = 0;
  friend bool operator==(const Usage&, const Usage&) = default;
};

struct ExitRecord {
  InstanceId instance;
  RunNumber run;
  std::string host_boot_id;
  ProcessIdentity shim, vmm, device;
  std::string start_error;
  protocol::ExitStatus exit = protocol::ExitUnknown{};
  std::optional<protocol::ExitStatus> device_exit;
  bool host_oom = false;                        // the host's kernel killed a process of this run for want of memory
  UnixUs started_unix_us = 0, ended_unix_us = 0;  // of the VMM; when it never ran, of the attempt
  Usage usage;
  std::uint64_t console_bytes = 0;              // in all
  std::uint64_t console_gap_bytes = 0;          // not kept: beyond the caps
  std::uint64_t console_lost_bytes = 0;         // not kept: the disk refused them
  std::string log_tail;                         // the last KiB of vmm.log, made valid UTF-8
  friend bool operator==(const ExitRecord&, const ExitRecord&) = default;
};

std::string encode_exit_record(const ExitRecord& record);
Result<ExitRecord> parse_exit_record(std::string_view json);

Result<ExitRecord> read_exit_record(const std::string& path);
Result<void> write_exit_record(const std::string& path, const ExitRecord& record);

}  // namespace vigil::shim

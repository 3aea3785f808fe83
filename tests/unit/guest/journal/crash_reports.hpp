// Crash reports for the journal's tests.
#pragma once

#include "shared/protocol/report.hpp"

#include <string>

namespace vigil::guest::journal {

inline const BootId this_boot("01234567-89ab-cdef-0123-456789abcdef"), earlier_boot("fedcba98-89ab-cdef-0123-456789abcdef");

inline protocol::CrashReport crash_of(const std::string& id, std::string tail = "last words\n") {
  protocol::CrashReport crash;
  crash.crash = id;
  crash.service = "web";
  crash.exit = protocol::ExitSignal{11, true};
  crash.cause = protocol::make_cause(protocol::CauseCode::service_signalled, {{"signal", "SIGSEGV"}});
  crash.stderr_tail = std::move(tail);
  return crash;
}

inline protocol::Report report_of(Seq seq, const std::string& id, const BootId& boot = this_boot) {
  return {boot, 0, seq, 1000, crash_of(id)};
}

}  // namespace vigil::guest::journal

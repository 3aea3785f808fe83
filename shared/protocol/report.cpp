#include "shared/protocol/report.hpp"

#include "shared/base/overloaded.hpp"

#include <cstring>

namespace vigil::protocol {

std::string signal_name(int signal) {
  const char* const short_name = sigabbrev_np(signal);   // glibc 2.32: "SEGV", and nothing for real-time signals
  return "SIG" + (short_name != nullptr ? std::string(short_name) : std::to_string(signal));
}

std::optional<int> signal_number(std::string_view name) {
  for (int signal = 1; signal < 32; ++signal)
    if (signal_name(signal) == name) return signal;
  return std::nullopt;
}

std::string to_text(const ExitStatus& status) {
  return std::visit(Overloaded{
                        [](const ExitCode& exit) { return "code " + std::to_string(exit.code); },
                        [](const ExitSignal& exit) { return signal_name(exit.signal); },
                        [](const ExitUnknown& exit) { return "unknown (" + exit.reason + ")"; },
                    },
                    status);
}

std::string report_type(const ReportBody& body) {
  return std::visit(Overloaded{
                        [](const StageReport&) { return std::string("stage"); },
                        [](const ServiceReport&) { return std::string("service"); },
                        [](const CrashReport&) { return std::string("crash"); },
                        [](const CrashTrace&) { return std::string("crash_trace"); },
                        [](const HealthReport&) { return std::string("health"); },
                        [](const NetReport&) { return std::string("net"); },
                        [](const DroppedReport&) { return std::string("dropped"); },
                        [](const ByeReport&) { return std::string("bye"); },
                        [](const OtherReport& other) { return other.type; },
                    },
                    body);
}

}  // namespace vigil::protocol

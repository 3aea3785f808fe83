#include "shared/protocol/report.hpp"

#include "shared/base/overloaded.hpp"

#include <algorithm>
#include <cstring>

namespace vigil::protocol {

namespace {

bool is_runtime(const TraceFrame& frame) {
  constexpr std::string_view libraries[] = {"libc.so",    "libc-2.",      "ld-linux", "ld-musl",
                                            "libpthread", "libstdc++.so", "libc++",   "libgcc_s.so"};
  constexpr std::string_view functions[] = {"abort",
                                            "raise",
                                            "gsignal",
                                            "pthread_kill",
                                            "__pthread_kill",
                                            "__assert_fail",
                                            "__fortify_fail",
                                            "__stack_chk_fail",
                                            "__libc_message",
                                            "__chk_fail",
                                            "std::terminate",
                                            "__cxxabiv1::",
                                            "__gnu_cxx::__verbose",
                                            "__cxa_throw",
                                            "__cxa_rethrow"};
  const std::string_view file = std::string_view(frame.module).substr(frame.module.rfind('/') + 1);   // npos + 1 == 0: no folder
  const auto begins = [](std::string_view text) { return [text](std::string_view start) { return text.starts_with(start); }; };
  return std::any_of(std::begin(libraries), std::end(libraries), begins(file)) ||
         std::any_of(std::begin(functions), std::end(functions), begins(frame.function));
}

}  // namespace

std::optional<std::string> blamed_function(const CrashTrace& trace) {
  const auto blamed = std::find_if(trace.frames.begin(), trace.frames.end(),
                                   [](const TraceFrame& frame) { return !frame.function.empty() && !is_runtime(frame); });
  return blamed == trace.frames.end() ? std::nullopt : std::optional(blamed->function);
}

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
                        [](const SigninReport&) { return std::string("signin"); },
                        [](const OtherReport& other) { return other.type; },
                    },
                    body);
}

ReportBody without_private(ReportBody body) {
  if (auto* const signin = std::get_if<SigninReport>(&body)) signin->private_url.clear();
  return body;
}

}  // namespace vigil::protocol

#include "host/machine/crash_cause.hpp"

#include <algorithm>
#include <charconv>

namespace vigil::machine {

using namespace protocol;

namespace {

constexpr std::size_t max_function_bytes = 200;   // of a C++ template's name the rest tells little

Cause with_function(Cause cause, const CrashRecord& crash) {
  if (cause.code != CauseCode::service_signalled || !crash.trace || cause.fields.contains("function")) return cause;
  if (auto function = blamed_function(*crash.trace)) cause.fields.emplace("function", function->substr(0, max_function_bytes));
  return cause;
}

std::string hexadecimal(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value, 16);
  return "0x" + std::string(digits, end.ptr);
}

std::string place(const TraceFrame& frame) {
  if (frame.module.empty()) return hexadecimal(frame.offset);
  return frame.module.substr(frame.module.rfind('/') + 1) + "+" + hexadecimal(frame.offset);   // npos + 1 == 0: no folder
}

}  // namespace

Cause cause_of(const CrashRecord& crash) { return with_function(crash.report.cause, crash); }

const CrashRecord* last_crash(const Run& run, const std::string& service) {
  const auto last = std::find_if(run.crashes.rbegin(), run.crashes.rend(),
                                 [&](const CrashRecord& crash) { return crash.report.service == service && !crash.report.origin; });
  return last == run.crashes.rend() ? nullptr : &*last;
}

std::optional<Cause> cause_of(const Run& run, const ServiceRecord& record) {
  if (!record.report.cause) return std::nullopt;
  const CrashRecord* const crash = last_crash(run, record.report.name.value());
  const bool is_of_it = crash != nullptr && field_text(crash->report.cause, "signal") == field_text(*record.report.cause, "signal");
  return is_of_it ? with_function(*record.report.cause, *crash) : *record.report.cause;
}

std::vector<std::string> trace_lines(const CrashTrace& trace, std::size_t most) {
  std::vector<std::string> lines;
  for (const TraceFrame& frame : trace.frames) {
    if (lines.size() == most) break;
    const std::string number = "#" + std::to_string(lines.size()) + " ";
    lines.push_back(frame.function.empty() ? number + place(frame)
                                           : number + frame.function.substr(0, max_function_bytes) + " (" + place(frame) + ")");
  }
  if (!trace.cut.empty() && lines.size() == trace.frames.size()) lines.push_back("the trace is cut off here: " + trace.cut);
  return lines;
}

}  // namespace vigil::machine

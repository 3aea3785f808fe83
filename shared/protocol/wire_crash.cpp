#include "shared/protocol/wire.hpp"

#include "shared/base/overloaded.hpp"

#include <charconv>

namespace vigil::protocol::wire {

namespace {

/// An address needs all 64 bits, which a JSON number does not carry.
std::string to_hex(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value, 16);
  return "0x" + std::string(digits, end.ptr);
}

Result<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto digits = text.substr(std::min<std::size_t>(2, text.size()));
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  const bool whole = text.substr(0, 2) == "0x" && end.ec == std::errc() && end.ptr == digits.data() + digits.size();
  if (!whole) return Error(Errc::invalid, "fault_address: not 0x and hexadecimal digits");
  return value;
}

json to_json(const OomEvidence& oom) {
  return {{"limit_bytes", number(oom.limit_bytes)},
          {"peak_bytes", number(oom.peak_bytes)},
          {"victim", text(oom.victim, max_detail_bytes)},
          {"kills", number(oom.kills)}};
}

Result<OomEvidence> parse_oom(const json& object) {
  TRY(limit, read_int_or<std::uint64_t>(object, "limit_bytes", 0));
  TRY(peak, read_int_or<std::uint64_t>(object, "peak_bytes", 0));
  TRY(victim, read_text_or(object, "victim", "", max_detail_bytes));
  TRY(kills, read_int_or<std::uint64_t>(object, "kills", 0));
  return OomEvidence{limit, peak, std::move(victim), kills};
}

Result<std::pair<BootId, Seq>> parse_origin(const json& object) {
  TRY(boot_text, read_string(object, "boot", 36));
  TRY(boot, parse_boot_id(boot_text));
  TRY(seq, read_int<Seq>(object, "seq"));
  return std::pair(std::move(boot), seq);
}

json to_json(const TraceFrame& frame) {
  return {{"module", text(frame.module)},
          {"build_id", text(frame.build_id, 64)},
          {"function", text(frame.function)},
          {"offset", number(frame.offset)}};
}

Result<TraceFrame> parse_frame(const json& object) {
  TRY(module, read_text_or(object, "module", ""));
  TRY(build_id, read_text_or(object, "build_id", "", 64));
  TRY(function, read_text_or(object, "function", ""));
  TRY(offset, read_int_or<std::uint64_t>(object, "offset", 0));
  return TraceFrame{std::move(module), std::move(build_id), std::move(function), offset};
}

/// A tail is the end of something, so what is cut is its beginning.
std::string tail_to_base64(std::string_view tail) { return to_base64(tail.substr(tail.size() - std::min(tail.size(), max_tail_bytes))); }

Result<std::string> read_tail(const json& object, const char* key) {
  return object.contains(key) ? read_bytes(object, key, max_tail_bytes) : Result<std::string>(std::string());
}

Result<void> parse_identity(const json& object, CrashReport& report) {
  TRY(crash, read_string(object, "crash", max_detail_bytes));
  TRY(service, read_text_or(object, "service", "", 64));
  TRY(process, read_text_or(object, "process", "", max_detail_bytes));
  TRY(pid, read_int_or<std::int64_t>(object, "pid", 0));
  report.crash = std::move(crash);
  report.service = std::move(service);
  report.process = std::move(process);
  report.pid = pid;
  return {};
}

Result<void> parse_times_and_use(const json& object, CrashReport& report) {
  TRY(started, read_int_or<MonoUs>(object, "started_us", 0));
  TRY(ended, read_int_or<MonoUs>(object, "ended_us", 0));
  TRY(user, read_int_or<std::uint64_t>(object, "user_us", 0));
  TRY(system, read_int_or<std::uint64_t>(object, "system_us", 0));
  TRY(max_rss, read_int_or<std::uint64_t>(object, "max_rss_kib", 0));
  TRY(restarts, read_int_or<std::uint32_t>(object, "restarts", 0));
  TRY(will_restart, read_bool_or(object, "will_restart", false));
  report.started_us = started;
  report.ended_us = ended;
  report.user_us = user;
  report.system_us = system;
  report.max_rss_kib = max_rss;
  report.restarts = restarts;
  report.will_restart = will_restart;
  return {};
}

Result<void> parse_tails(const json& object, CrashReport& report) {
  TRY(stdout_tail, read_tail(object, "stdout_tail_b64"));
  TRY(stderr_tail, read_tail(object, "stderr_tail_b64"));
  TRY(stdout_lost, read_int_or<std::uint64_t>(object, "stdout_lost", 0));
  TRY(stderr_lost, read_int_or<std::uint64_t>(object, "stderr_lost", 0));
  report.stdout_tail = std::move(stdout_tail);
  report.stderr_tail = std::move(stderr_tail);
  report.stdout_lost = stdout_lost;
  report.stderr_lost = stderr_lost;
  return {};
}

Result<void> parse_oom_and_origin(const json& object, CrashReport& report) {
  if (const auto member = object.find("oom"); member != object.end()) {
    TRY(oom, parse_oom(*member));
    report.oom = std::move(oom);
  }
  if (const auto member = object.find("origin"); member != object.end()) {
    TRY(origin, parse_origin(*member));
    report.origin = std::move(origin);
  }
  return {};
}

}  // namespace

json to_json(const ExitStatus& exit) {
  return std::visit(Overloaded{
                        [](const ExitCode& each) -> json { return {{"code", each.code}}; },
                        [](const ExitSignal& each) -> json { return {{"signal", each.signal}, {"core", each.core}}; },
                        [](const ExitUnknown& each) -> json { return {{"unknown", text(each.reason, max_detail_bytes)}}; },
                    },
                    exit);
}

Result<ExitStatus> parse_exit(const json& object) {
  if (object.contains("code")) {
    TRY(code, read_int<std::int32_t>(object, "code"));
    return ExitStatus(ExitCode{code});
  }
  if (object.contains("signal")) {
    TRY(signal, read_integer(object, "signal", 1, 127));
    TRY(core, read_bool_or(object, "core", false));
    return ExitStatus(ExitSignal{static_cast<std::int32_t>(signal), core});
  }
  TRY(reason, read_string(object, "unknown", max_detail_bytes));
  return ExitStatus(ExitUnknown{std::move(reason)});
}

json to_json(const CrashReport& report) {
  json object = {{"crash", text(report.crash, max_detail_bytes)},
                 {"service", text(report.service, 64)},
                 {"process", text(report.process, max_detail_bytes)},
                 {"pid", report.pid},
                 {"exit", to_json(report.exit)},
                 {"cause", to_json(report.cause)},
                 {"started_us", number(report.started_us)},
                 {"ended_us", number(report.ended_us)},
                 {"user_us", number(report.user_us)},
                 {"system_us", number(report.system_us)},
                 {"max_rss_kib", number(report.max_rss_kib)},
                 {"restarts", report.restarts},
                 {"will_restart", report.will_restart},
                 {"stdout_tail_b64", tail_to_base64(report.stdout_tail)},
                 {"stderr_tail_b64", tail_to_base64(report.stderr_tail)},
                 {"stdout_lost", number(report.stdout_lost)},
                 {"stderr_lost", number(report.stderr_lost)}};
  if (report.oom) object["oom"] = to_json(*report.oom);
  if (report.origin) object["origin"] = {{"boot", report.origin->first.value()}, {"seq", number(report.origin->second)}};
  return object;
}

Result<CrashReport> parse_crash(const json& object) {
  CrashReport report;
  TRY_VOID(parse_identity(object, report));
  TRY_VOID(parse_times_and_use(object, report));
  TRY_VOID(parse_tails(object, report));
  TRY_VOID(parse_oom_and_origin(object, report));
  const auto exit_member = object.find("exit");
  if (exit_member == object.end()) return Error(Errc::invalid, "exit: missing");
  TRY(exit, parse_exit(*exit_member));
  TRY(cause, read_cause_if_any(object, "cause"));
  if (!cause) return Error(Errc::invalid, "cause: missing");
  report.exit = std::move(exit);
  report.cause = std::move(*cause);
  return report;
}

json to_json(const CrashTrace& trace) {
  json frames = json::array();
  for (std::size_t i = 0; i < std::min(trace.frames.size(), max_frames); ++i) frames.push_back(to_json(trace.frames[i]));
  json object = {{"crash", text(trace.crash, max_detail_bytes)},
                 {"frames", std::move(frames)},
                 {"truncated", trace.truncated || trace.frames.size() > max_frames}};
  if (trace.fault_address) object["fault_address"] = to_hex(*trace.fault_address);
  return object;
}

Result<CrashTrace> parse_crash_trace(const json& object) {
  CrashTrace trace;
  TRY(crash, read_string(object, "crash", max_detail_bytes));
  TRY(frames, read_list<TraceFrame>(object, "frames", max_frames, parse_frame));
  TRY(truncated, read_bool_or(object, "truncated", false));
  TRY(address, try_read_string(object, "fault_address", 18));
  if (address) {
    TRY(value, parse_hex(*address));
    trace.fault_address = value;
  }
  trace.crash = std::move(crash);
  trace.frames = std::move(frames);
  trace.truncated = truncated;
  return trace;
}

}  // namespace vigil::protocol::wire

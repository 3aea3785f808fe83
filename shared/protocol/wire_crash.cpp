#include "shared/protocol/wire.hpp"

#include "shared/base/overloaded.hpp"

#include <charconv>

namespace vigil::protocol::wire {

namespace {

constexpr std::size_t max_path_bytes = 1024;

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
  return object_of("limit_bytes", number(oom.limit_bytes), "peak_bytes", number(oom.peak_bytes), "victim",
                   text(oom.victim, max_detail_bytes), "kills", number(oom.kills));
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

json to_json(const VictimFacts& victim) {
  return object_of("executable", text(victim.executable, max_path_bytes), "command_line", text(victim.command_line), "directory",
                   text(victim.directory, max_path_bytes), "uid", victim.uid, "gid", victim.gid, "threads", victim.threads, "descriptors",
                   victim.descriptors, "mappings", victim.mappings, "resident_kib", number(victim.resident_kib), "peak_kib",
                   number(victim.peak_kib));
}

Result<VictimFacts> parse_victim(const json& object) {
  TRY(executable, read_text_or(object, "executable", "", max_path_bytes));
  TRY(command_line, read_text_or(object, "command_line", ""));
  TRY(directory, read_text_or(object, "directory", "", max_path_bytes));
  TRY(uid, read_int_or<std::uint32_t>(object, "uid", 0));
  TRY(gid, read_int_or<std::uint32_t>(object, "gid", 0));
  TRY(threads, read_int_or<std::uint32_t>(object, "threads", 0));
  TRY(descriptors, read_int_or<std::uint32_t>(object, "descriptors", 0));
  TRY(mappings, read_int_or<std::uint32_t>(object, "mappings", 0));
  TRY(resident, read_int_or<std::uint64_t>(object, "resident_kib", 0));
  TRY(peak, read_int_or<std::uint64_t>(object, "peak_kib", 0));
  return VictimFacts{
      std::move(executable), std::move(command_line), std::move(directory), uid, gid, threads, descriptors, mappings, resident, peak};
}

/// Above 2^53 a JSON number is no longer exact: a kernel's or a wild address is hexadecimal text.
json offset_json(std::uint64_t offset) {
  if (offset <= static_cast<std::uint64_t>(max_json_integer)) return number(offset);
  return to_hex(offset);
}

Result<std::uint64_t> parse_offset(const json& object) {
  const auto member = object.find("offset");
  if (member == object.end() || !member->is_string()) return read_int_or<std::uint64_t>(object, "offset", 0);
  TRY(digits, read_string(object, "offset", 18));
  return parse_hex(digits);
}

json to_json(const TraceFrame& frame) {
  return object_of("module", text(frame.module, max_path_bytes), "build_id", text(frame.build_id, 64), "function",
                   text(frame.function, max_path_bytes), "offset", offset_json(frame.offset));
}

Result<TraceFrame> parse_frame(const json& object) {
  TRY(module, read_text_or(object, "module", ""));
  TRY(build_id, read_text_or(object, "build_id", "", 64));
  TRY(function, read_text_or(object, "function", ""));
  TRY(offset, parse_offset(object));
  return TraceFrame{std::move(module), std::move(build_id), std::move(function), offset};
}

json frames_json(const std::vector<TraceFrame>& frames, std::size_t most) {
  json list = json::array();
  for (std::size_t i = 0; i < std::min(frames.size(), most); ++i) list.push_back(to_json(frames[i]));
  return list;
}

json to_json(const TraceThread& thread) {
  return object_of("tid", thread.tid, "name", text(thread.name, 64), "frames", frames_json(thread.frames, max_thread_frames), "cut",
                   text(thread.cut, max_detail_bytes));
}

/// Only what there is: a trace without these is as it was before they were.
void put_threads(json& object, const CrashTrace& trace) {
  if (!trace.reason.empty()) object["reason"] = text(trace.reason, max_detail_bytes);
  if (trace.tid != 0) object["tid"] = trace.tid;
  if (!trace.thread.empty()) object["thread"] = text(trace.thread, 64);
  if (!trace.cut.empty()) object["cut"] = text(trace.cut, max_detail_bytes);
  for (std::size_t i = 0; i < std::min(trace.threads.size(), max_other_threads); ++i)
    object["threads"].push_back(to_json(trace.threads[i]));
  if (trace.threads_left_out != 0) object["threads_left_out"] = trace.threads_left_out;
}

Result<TraceThread> parse_thread(const json& object) {
  TRY(tid, read_int_or<std::int64_t>(object, "tid", 0));
  TRY(name, read_text_or(object, "name", "", 64));
  TRY(frames, read_list<TraceFrame>(object, "frames", max_thread_frames, parse_frame));
  TRY(cut, read_text_or(object, "cut", "", max_detail_bytes));
  return TraceThread{tid, std::move(name), std::move(frames), std::move(cut)};
}

Result<void> parse_threads(const json& object, CrashTrace& trace) {
  TRY(reason, read_text_or(object, "reason", "", max_detail_bytes));
  TRY(tid, read_int_or<std::int64_t>(object, "tid", 0));
  TRY(thread, read_text_or(object, "thread", "", 64));
  TRY(cut, read_text_or(object, "cut", "", max_detail_bytes));
  TRY(threads, read_list<TraceThread>(object, "threads", max_other_threads, parse_thread));
  TRY(left_out, read_int_or<std::uint32_t>(object, "threads_left_out", 0));
  trace.reason = std::move(reason);
  trace.tid = tid;
  trace.thread = std::move(thread);
  trace.cut = std::move(cut);
  trace.threads = std::move(threads);
  trace.threads_left_out = left_out;
  return {};
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

Result<void> parse_optional_parts(const json& object, CrashReport& report) {
  if (const auto member = object.find("victim"); member != object.end()) {
    TRY(victim, parse_victim(*member));
    report.victim = std::move(victim);
  }
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
                        [](const ExitCode& each) -> json { return object_of("code", each.code); },
                        [](const ExitSignal& each) -> json { return object_of("signal", each.signal, "core", each.core); },
                        [](const ExitUnknown& each) -> json { return object_of("unknown", text(each.reason, max_detail_bytes)); },
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
  json object =
      object_of("crash", text(report.crash, max_detail_bytes), "service", text(report.service, 64), "process",
                text(report.process, max_detail_bytes), "pid", report.pid, "exit", to_json(report.exit), "cause", to_json(report.cause),
                "started_us", number(report.started_us), "ended_us", number(report.ended_us), "user_us", number(report.user_us),
                "system_us", number(report.system_us), "max_rss_kib", number(report.max_rss_kib), "restarts", report.restarts,
                "will_restart", report.will_restart, "stdout_tail_b64", tail_to_base64(report.stdout_tail), "stderr_tail_b64",
                tail_to_base64(report.stderr_tail), "stdout_lost", number(report.stdout_lost), "stderr_lost", number(report.stderr_lost));
  if (report.oom) object["oom"] = to_json(*report.oom);
  if (report.victim) object["victim"] = to_json(*report.victim);
  if (report.origin) object["origin"] = {{"boot", report.origin->first.value()}, {"seq", number(report.origin->second)}};
  return object;
}

Result<CrashReport> parse_crash(const json& object) {
  CrashReport report;
  TRY_VOID(parse_identity(object, report));
  TRY_VOID(parse_times_and_use(object, report));
  TRY_VOID(parse_tails(object, report));
  TRY_VOID(parse_optional_parts(object, report));
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
  json object = object_of("crash", text(trace.crash, max_detail_bytes), "frames", frames_json(trace.frames, max_frames), "truncated",
                          trace.truncated || trace.frames.size() > max_frames);
  if (trace.fault_address) object["fault_address"] = to_hex(*trace.fault_address);
  put_threads(object, trace);
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
  TRY_VOID(parse_threads(object, trace));
  trace.crash = std::move(crash);
  trace.frames = std::move(frames);
  trace.truncated = truncated;
  return trace;
}

}  // namespace vigil::protocol::wire

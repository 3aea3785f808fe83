// A digest is a report cut to what fits on a serial console. Its keys, one letter each:
//   t type  s state or stage  p phase  d detail  n name of the service  k crash id  x process  i pid  r restarts  u microseconds of the guest's clock
//   e exit  o optional (not essential)  w waits for  f function  c cause {k code, f fields, e first line of evidence}
//   health: m memory KiB [total, available]  a root KiB [total, available]  l load  n processes  c [codes]
//   signin: n session  x provider  s step (never its address)
//   dropped: k kind  f first seq  l last seq  c count        bye: k kind  a asked by  h host asked
#include "shared/base/overloaded.hpp"
#include "shared/protocol/wire.hpp"

namespace vigil::protocol {

using wire::json;

namespace {

/// How much of the free text a digest keeps; the first row that fits is taken.
struct Room {
  std::size_t evidence_bytes, text_bytes, field_bytes, names;
};
constexpr Room rooms[] = {{160, 96, 200, 8}, {60, 64, 100, 4}, {0, 48, 60, 2}, {0, 24, 24, 1}, {0, 24, 8, 0}, {0, 16, 0, 0}, {0, 0, 0, 0}};

json cause_to_digest(const Cause& cause, const Room& room) {
  json object = {{"k", wire::text(cause.text, 64)}};
  for (const auto& [name, value] : cause.fields) {
    const auto* const number = std::get_if<std::int64_t>(&value);
    if (room.field_bytes == 0 || (object.contains("f") && object["f"].size() >= wire::max_cause_fields / 2)) break;
    object["f"][to_valid_utf8(name, 24)] = number != nullptr ? json(*number) : wire::text(std::get<std::string>(value), room.field_bytes);
  }
  if (room.evidence_bytes > 0 && !cause.evidence.empty()) object["e"] = wire::text(cause.evidence[0], room.evidence_bytes);
  return object;
}

void put_cause(json& object, const std::optional<Cause>& cause, const Room& room) {
  if (cause) object["c"] = cause_to_digest(*cause, room);
}

void put_text(json& object, const char* key, const std::string& value, std::size_t max_bytes) {
  if (!value.empty()) object[key] = wire::text(value, max_bytes);
}

json to_digest(const StageReport& report, const Room& room) {
  json object = {{"s", vigil::to_text(report.stage)}, {"p", vigil::to_text(report.phase)}};
  put_text(object, "d", report.detail, room.text_bytes);
  put_cause(object, report.cause, room);
  return object;
}

json to_digest(const ServiceReport& report, const Room& room) {
  json object = {{"n", report.name.value()}, {"s", vigil::to_text(report.state)}, {"u", wire::number(report.since_us)}};
  if (report.pid != 0) object["i"] = report.pid;
  if (report.restarts != 0) object["r"] = report.restarts;
  if (!report.essential) object["o"] = true;
  if (!report.waits_for.empty()) object["w"] = wire::texts(report.waits_for, room.names, 64);
  put_cause(object, report.cause, room);
  return object;
}

json to_digest(const CrashReport& report, const Room& room) {
  json object = {{"k", wire::text(report.crash, 96)},
                 {"e", wire::to_json(report.exit)},
                 {"u", wire::number(report.ended_us)},
                 {"c", cause_to_digest(report.cause, room)}};
  if (report.pid != 0) object["i"] = report.pid;
  if (report.restarts != 0) object["r"] = report.restarts;
  put_text(object, "n", report.service, 64);
  put_text(object, "x", report.process, std::min<std::size_t>(room.text_bytes, 32));
  return object;
}

json to_digest(const CrashTrace& trace, const Room& room) {
  json object = {{"k", wire::text(trace.crash, 96)}};
  if (!trace.frames.empty()) put_text(object, "f", trace.frames[0].function, room.text_bytes);
  return object;
}

json to_digest(const HealthReport& report, const Room& room) {
  json codes = json::array();
  for (const auto& cause : report.causes)
    if (codes.size() < room.names) codes.push_back(wire::text(cause.text, 64));
  return {{"m", {wire::number(report.memory_total_kib), wire::number(report.memory_available_kib)}},
          {"a", {wire::number(report.root_total_kib), wire::number(report.root_available_kib)}},
          {"l", report.load1_permille},
          {"n", report.processes},
          {"c", std::move(codes)}};
}

json to_digest(const DroppedReport& report, const Room&) {
  return {{"k", wire::text(report.kind, 64)},
          {"f", wire::number(report.first_seq)},
          {"l", wire::number(report.last_seq)},
          {"c", wire::number(report.count)}};
}

json to_digest(const ByeReport& report, const Room& room) {
  json object = {{"k", vigil::to_text(report.kind)}, {"h", report.host_asked}};
  put_text(object, "a", report.asked_by, room.text_bytes);
  return object;
}

json to_digest(const SigninReport& report, const Room& room) {
  json object = {{"n", report.session.value()}, {"x", wire::text(report.provider, 32)}, {"s", vigil::to_text(report.step)}};
  put_cause(object, report.cause, room);
  if (report.credential) object["h"] = report.credential->sha256;
  return object;
}

json to_digest(const NetReport&, const Room&) { return json::object(); }   // never printed: it is long, and nobody is lost without it

json to_digest(const OtherReport&, const Room&) { return json::object(); }

Result<std::optional<Cause>> read_cause(const json& object) {
  const auto member = object.find("c");
  if (member == object.end()) return std::optional<Cause>();
  if (!member->is_object()) return Error(Errc::invalid, "c: not an object");
  json whole = {{"code", member->value("k", json())}, {"fields", member->value("f", json::object())}};
  if (const auto evidence = member->find("e"); evidence != member->end()) whole["evidence"] = json::array({*evidence});
  TRY(cause, wire::parse_cause(whole));
  return std::optional<Cause>(std::move(cause));
}

Result<ReportBody> read_stage(const json& object) {
  TRY(stage, wire::read_enum<Stage>(object, "s"));
  TRY(phase, wire::read_enum<StageReport::Phase>(object, "p"));
  TRY(detail, wire::read_text_or(object, "d", "", wire::max_detail_bytes));
  TRY(cause, read_cause(object));
  return ReportBody(StageReport{stage, phase, std::move(detail), std::move(cause)});
}

Result<ReportBody> read_service(const json& object) {
  TRY(name_text, read_string(object, "n", 64));
  TRY(name, parse_service_name(name_text));
  TRY(state, wire::read_enum<ServiceState>(object, "s"));
  TRY(since, wire::read_int_or<MonoUs>(object, "u", 0));
  TRY(pid, wire::read_int_or<std::int64_t>(object, "i", 0));
  TRY(restarts, wire::read_int_or<std::uint32_t>(object, "r", 0));
  TRY(optional, wire::read_bool_or(object, "o", false));
  TRY(waits_for, wire::read_texts_or_none(object, "w", wire::max_names));
  TRY(cause, read_cause(object));
  return ReportBody(ServiceReport{std::move(name), state, !optional, pid, restarts, since, {}, std::move(waits_for), std::move(cause), 0});
}

Result<ReportBody> read_crash(const json& object) {
  CrashReport report;
  TRY(crash, read_string(object, "k", wire::max_detail_bytes));
  TRY(service, wire::read_text_or(object, "n", "", 64));
  TRY(process, wire::read_text_or(object, "x", "", wire::max_detail_bytes));
  TRY(pid, wire::read_int_or<std::int64_t>(object, "i", 0));
  TRY(restarts, wire::read_int_or<std::uint32_t>(object, "r", 0));
  TRY(ended, wire::read_int_or<MonoUs>(object, "u", 0));
  TRY(exit, wire::parse_exit(object.value("e", json())));
  TRY(cause, read_cause(object));
  if (!cause) return Error(Errc::invalid, "c: missing");
  report.crash = std::move(crash);
  report.service = std::move(service);
  report.process = std::move(process);
  report.pid = pid;
  report.restarts = restarts;
  report.ended_us = ended;
  report.exit = std::move(exit);
  report.cause = std::move(*cause);
  return ReportBody(std::move(report));
}

Result<ReportBody> read_crash_trace(const json& object) {
  TRY(crash, read_string(object, "k", wire::max_detail_bytes));
  TRY(function, wire::read_text_or(object, "f", ""));
  CrashTrace trace;
  trace.crash = std::move(crash);
  trace.truncated = true;
  if (!function.empty()) trace.frames.push_back(TraceFrame{"", "", std::move(function), 0});
  return ReportBody(std::move(trace));
}

Result<std::pair<std::uint64_t, std::uint64_t>> read_total_and_available(const json& object, const char* key) {
  const auto pair = object.find(key);
  if (pair == object.end() || !pair->is_array() || pair->size() != 2) return Error(Errc::invalid, std::string(key) + ": not a pair");
  const json named = {{"total", (*pair)[0]}, {"available", (*pair)[1]}};
  TRY(total, wire::read_int<std::uint64_t>(named, "total"));
  TRY(available, wire::read_int<std::uint64_t>(named, "available"));
  return std::pair(total, available);
}

Result<ReportBody> read_health(const json& object) {
  TRY(memory, read_total_and_available(object, "m"));
  TRY(root, read_total_and_available(object, "a"));
  TRY(load, wire::read_int<std::uint32_t>(object, "l"));
  TRY(processes, wire::read_int<std::uint32_t>(object, "n"));
  TRY(codes, read_strings(object, "c", wire::max_health_causes, 64));
  HealthReport report;
  report.memory_total_kib = memory.first;
  report.memory_available_kib = memory.second;
  report.root_total_kib = root.first;
  report.root_available_kib = root.second;
  report.load1_permille = load;
  report.processes = processes;
  for (const auto& code : codes) {
    const CauseRow* const row = find_cause(code);
    report.causes.push_back(Cause{row == nullptr ? CauseCode::unlisted : row->code, code, {}, {}});
  }
  return ReportBody(std::move(report));
}

Result<ReportBody> read_dropped(const json& object) {
  TRY(kind, read_string(object, "k", 64));
  TRY(first, wire::read_int<Seq>(object, "f"));
  TRY(last, wire::read_int<Seq>(object, "l"));
  TRY(count, wire::read_int<std::uint64_t>(object, "c"));
  return ReportBody(DroppedReport{std::move(kind), first, last, count});
}

Result<ReportBody> read_bye(const json& object) {
  TRY(kind, wire::read_enum<ByeReport::Kind>(object, "k"));
  TRY(asked_by, wire::read_text_or(object, "a", "", wire::max_detail_bytes));
  TRY(host_asked, wire::read_bool_or(object, "h", false));
  return ReportBody(ByeReport{kind, std::move(asked_by), host_asked});
}

Result<ReportBody> read_signin(const json& object) {
  TRY(session_text, read_string(object, "n", 64));
  TRY(session, parse_signin_session_id(session_text));
  TRY(provider, read_string(object, "x", 32));
  TRY(step, wire::read_enum<SigninReport::Step>(object, "s"));
  TRY(sha256, wire::read_text_or(object, "h", "", 64));
  TRY(cause, read_cause(object));
  SigninReport report;
  report.session = std::move(session);
  report.provider = std::move(provider);
  report.step = step;
  report.cause = std::move(cause);
  if (!sha256.empty()) report.credential = SigninCredential{"", std::move(sha256), 0};
  return ReportBody(std::move(report));
}

Result<ReportBody> read_digest(const std::string& type, const json& object) {
  if (type == "stage") return read_stage(object);
  if (type == "service") return read_service(object);
  if (type == "crash") return read_crash(object);
  if (type == "crash_trace") return read_crash_trace(object);
  if (type == "health") return read_health(object);
  if (type == "dropped") return read_dropped(object);
  if (type == "bye") return read_bye(object);
  if (type == "signin") return read_signin(object);
  return ReportBody(OtherReport{type, dump_json(object)});
}

}  // namespace

std::string encode_digest(const ReportBody& body) {
  std::string text;
  for (const auto& room : rooms) {
    json object = std::visit([&](const auto& report) { return to_digest(report, room); }, body);
    object["t"] = wire::text(report_type(body), 64);
    text = dump_json(object);
    if (text.size() <= max_digest_bytes) break;
  }
  return text;
}

Result<ReportBody> decode_digest(std::string_view text) {
  TRY(object, parse_json(text, JsonLimits{.max_bytes = 4096, .max_depth = 8, .max_values = 128}));
  TRY(type, read_string(object, "t", 64));
  auto body = read_digest(type, object);
  if (!body && body.error().code() == Errc::unsupported) return ReportBody(OtherReport{type, dump_json(object)});
  return body;
}

}  // namespace vigil::protocol

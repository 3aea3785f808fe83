#include "shared/protocol/wire.hpp"

namespace vigil::protocol::wire {

namespace {

void put_cause(json& object, const std::optional<Cause>& cause) {
  if (cause) object["cause"] = to_json(*cause);
}

}  // namespace

json to_json(const StageReport& report) {
  json object = object_of("stage", vigil::to_text(report.stage), "phase", vigil::to_text(report.phase), "detail",
                          text(report.detail, max_detail_bytes));
  put_cause(object, report.cause);
  return object;
}

Result<StageReport> parse_stage(const json& object) {
  TRY(stage, read_enum<Stage>(object, "stage"));
  TRY(phase, read_enum<StageReport::Phase>(object, "phase"));
  TRY(detail, read_text_or(object, "detail", "", max_detail_bytes));
  TRY(cause, read_cause_if_any(object, "cause"));
  return StageReport{stage, phase, std::move(detail), std::move(cause)};
}

json to_json(const ProbeResult& probe) {
  json object = object_of("probe", text(probe.probe, max_detail_bytes), "passed", probe.passed);
  if (probe.passed_us) object["passed_us"] = number(*probe.passed_us);
  return object;
}

Result<ProbeResult> parse_probe(const json& object) {
  TRY(name, read_string(object, "probe", max_detail_bytes));
  TRY(passed, read_bool(object, "passed"));
  TRY(passed_us, try_read_integer(object, "passed_us"));
  ProbeResult probe{std::move(name), passed, std::nullopt};
  if (passed_us) probe.passed_us = static_cast<MonoUs>(*passed_us);
  return probe;
}

json to_json(const ServiceReport& report) {
  json object =
      object_of("name", report.name.value(), "state", vigil::to_text(report.state), "essential", report.essential, "pid", report.pid,
                "restarts", report.restarts, "since_us", number(report.since_us), "probes", list_of(report.probes, max_probes), "waits_for",
                texts(report.waits_for, max_names, 64), "collapsed", report.collapsed);
  put_cause(object, report.cause);
  return object;
}

Result<ServiceReport> parse_service(const json& object) {
  TRY(name_text, read_string(object, "name", 64));
  TRY(name, parse_service_name(name_text));
  TRY(state, read_enum<ServiceState>(object, "state"));
  TRY(essential, read_bool_or(object, "essential", true));
  TRY(pid, read_int_or<std::int64_t>(object, "pid", 0));
  TRY(restarts, read_int_or<std::uint32_t>(object, "restarts", 0));
  TRY(since_us, read_int_or<MonoUs>(object, "since_us", 0));
  TRY(probes, read_list<ProbeResult>(object, "probes", max_probes, parse_probe));
  TRY(waits_for, read_texts_or_none(object, "waits_for", max_names, 64));
  TRY(cause, read_cause_if_any(object, "cause"));
  TRY(collapsed, read_int_or<std::uint32_t>(object, "collapsed", 0));
  return ServiceReport{std::move(name),  state,    essential, pid, restarts, since_us, std::move(probes), std::move(waits_for),
                       std::move(cause), collapsed};
}

json to_json(const DroppedReport& report) {
  return object_of("kind", text(report.kind, 64), "first_seq", number(report.first_seq), "last_seq", number(report.last_seq), "count",
                   number(report.count));
}

Result<DroppedReport> parse_dropped(const json& object) {
  TRY(kind, read_string(object, "kind", 64));
  TRY(first, read_int<Seq>(object, "first_seq"));
  TRY(last, read_int<Seq>(object, "last_seq"));
  TRY(count, read_int<std::uint64_t>(object, "count"));
  if (last < first) return Error(Errc::invalid, "last_seq: before first_seq");
  return DroppedReport{std::move(kind), first, last, count};
}

json to_json(const ByeReport& report) {
  return object_of("kind", vigil::to_text(report.kind), "asked_by", text(report.asked_by, max_detail_bytes), "host_asked",
                   report.host_asked);
}

Result<ByeReport> parse_bye(const json& object) {
  TRY(kind, read_enum<ByeReport::Kind>(object, "kind"));
  TRY(asked_by, read_text_or(object, "asked_by", "", max_detail_bytes));
  TRY(host_asked, read_bool_or(object, "host_asked", false));
  return ByeReport{kind, std::move(asked_by), host_asked};
}

}  // namespace vigil::protocol::wire

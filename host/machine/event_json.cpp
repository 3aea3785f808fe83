#include "host/machine/event_json.hpp"

#include "host/machine/event_names.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

namespace vigil::machine {

using nlohmann::json;
using protocol::Cause;

namespace {

json cause_json(const Cause& cause) { return json::parse(protocol::encode_cause(cause), nullptr, false); }
json maybe(const std::optional<Cause>& cause) { return cause ? cause_json(*cause) : json(nullptr); }

json body_json(const Created& body) { return {{"spec", json::parse(encode_spec(body.spec), nullptr, false)}}; }
json body_json(const StartRequested& body) {
  json object{{"actor", body.actor}};
  if (body.accelerator) object["accelerator"] = to_text(*body.accelerator);
  return object;
}
json body_json(const VmmStarted& body) {
  return {{"accelerator", to_text(body.accelerator)}, {"why", body.why},           {"vmm", body.vmm},
          {"vmm_version", body.vmm_version},          {"vmm_pid", body.vmm_pid},   {"shim_pid", body.shim_pid},
          {"device_pid", body.device_pid},            {"cid", body.cid}};
}
json body_json(const StartFailed& body) { return {{"cause", cause_json(body.cause)}}; }
json body_json(const LinkUp& body) {
  return {{"boot", body.boot.value()},         {"epoch", body.epoch},   {"phase", body.phase},
          {"agent_version", body.agent_version}, {"build_id", body.build_id}, {"image_digest", body.image_digest},
          {"kernel", body.kernel},             {"first_unacked", body.first_unacked}};
}
json body_json(const LinkLost& body) { return {{"reason", body.reason}, {"cause", maybe(body.cause)}}; }
json body_json(const LinkRefused& body) { return {{"reason", body.reason}}; }
json body_json(const EgressRefused& body) { return {{"cause", cause_json(body.cause)}, {"count", body.count}}; }
json body_json(const ClockSynced& body) { return {{"offset_us", body.offset_us}, {"rtt_us", body.rtt_us}}; }
json body_json(const ConsoleFinding& body) {
  return {{"kind", to_text(body.kind)}, {"text", body.text}, {"captured", body.captured}, {"lines", body.lines},
          {"kernel_us", body.kernel_us}, {"count", body.count}};
}
json body_json(const Reported&) { return nullptr; }   // reported_json's
json body_json(const DeadlinePassed& body) { return {{"name", body.name}}; }
json body_json(const StopRequested& body) {
  return {{"kind", to_text(body.kind)}, {"grace_ms", body.grace.count()}, {"actor", body.actor}};
}
json body_json(const VmmExited& body) {
  return {{"exit", exit_json(body.exit)}, {"reason", body.reason},       {"ended_unix_us", body.ended_unix_us},
          {"user_us", body.user_us},      {"system_us", body.system_us}, {"max_rss_kib", body.max_rss_kib},
          {"last_words", body.last_words}};
}
json body_json(const DeviceExited& body) { return {{"device", body.device}, {"exit", exit_json(body.exit)}}; }
json body_json(const VmmHalted& body) { return {{"halted", body.halted}}; }
json body_json(const ShimLost& body) { return {{"reason", body.reason}}; }
json body_json(const Adopted& body) { return {{"shim_pid", body.shim_pid}}; }
json body_json(const StateChanged& body) {
  json object{{"state", to_text(body.state)}, {"power", to_text(body.power)}, {"liveness", to_text(body.liveness)}, {"cause", maybe(body.cause)}};
  object["outcome"] = body.outcome ? json(to_text(*body.outcome)) : json(nullptr);
  object["service"] = body.service.empty() ? json(nullptr) : json(body.service);
  return object;
}
json body_json(const Removed& body) { return {{"actor", body.actor}}; }
json body_json(const PulseTaken& body) {
  json object{{"answers", body.answers},           {"pings", body.pings},           {"silent_ms", body.silent_ms},
              {"console_silent_ms", body.console_silent_ms}, {"span_ms", body.span_ms}, {"ran_ms", body.ran_ms},
              {"waited_ms", body.waited_ms},       {"vmm_process", body.vmm_process}, {"device_process", body.device_process},
              {"vmm_status", body.vmm_status},     {"looks_stuck", body.looks_stuck}, {"processors", body.processors}};
  object["host_busy_percent"] = body.host_busy_percent ? json(*body.host_busy_percent) : json(nullptr);
  return object;
}
json body_json(const HoldSet& body) { return {{"holder", body.holder}, {"until_unix_us", body.until_unix_us}, {"actor", body.actor}}; }
json body_json(const LeaseSet& body) { return {{"until_unix_us", body.until_unix_us}, {"actor", body.actor}}; }
json body_json(const PolicyPaused& body) { return {{"until_unix_us", body.until_unix_us}, {"actor", body.actor}}; }
json body_json(const PolicyDecided& body) {
  return {{"rule", body.rule}, {"action", body.action},         {"verdict", body.verdict}, {"why", body.why}, {"due_unix_us", body.due_unix_us},
          {"inputs", body.inputs}, {"thresholds", body.thresholds}, {"holders", body.holders}};
}
json body_json(const LogsLost& body) { return {{"service", body.service}, {"bytes", body.bytes}, {"reason", body.reason}}; }
json body_json(const Reconciled& body) { return {{"what", body.what}, {"subject", body.subject}, {"action", body.action}, {"reason", body.reason}}; }
json body_json(const RestartsEnded& body) { return {{"count", body.count}, {"first_run", body.first_run.value()}}; }
json body_json(const TokenBound& body) { return {{"boot", body.boot.value()}, {"sha256", body.sha256}}; }
json body_json(const ReportRepeated& body) {
  return {{"boot", body.boot.value()}, {"epoch", body.epoch}, {"seq", body.seq}, {"origin_boot", body.origin_boot.value()}, {"origin_seq", body.origin_seq}};
}

template <class E>
Result<E> read_enum(const json& object, const char* key) {
  TRY(text, read_string(object, key, 64));
  if (const auto value = parse_enum<E>(text)) return *value;
  return Error(Errc::unsupported, std::string(key) + ": \"" + text + "\" is not known");
}

/// Text that we wrote ourselves: bounded, and empty when an older version did not write it.
Result<std::string> read_text(const json& object, const char* key) {
  TRY(text, try_read_string(object, key, 64 * 1024));
  return text.value_or("");
}

Result<std::uint64_t> read_count(const json& object, const char* key) {
  TRY(value, try_read_integer(object, key));
  return static_cast<std::uint64_t>(value.value_or(0));
}

Result<std::optional<Cause>> read_cause(const json& object) {
  const auto found = object.find("cause");
  if (found == object.end() || found->is_null()) return std::optional<Cause>();
  TRY(cause, protocol::decode_cause(dump_json(*found)));
  return std::optional<Cause>(cause);
}

Result<EventBody> parse_created(const json& object) {
  if (!object.contains("spec")) return Error(Errc::invalid, "spec: missing");
  TRY(spec, parse_spec(dump_json(object["spec"])));
  return EventBody(Created{spec});
}

Result<EventBody> parse_start_requested(const json& object) {
  StartRequested body;
  TRY(actor, read_text(object, "actor"));
  body.actor = actor;
  if (object.contains("accelerator")) {
    TRY(accelerator, read_enum<protocol::Accelerator>(object, "accelerator"));
    body.accelerator = accelerator;
  }
  return EventBody(body);
}

Result<EventBody> parse_vmm_started(const json& object) {
  TRY(accelerator, read_enum<protocol::Accelerator>(object, "accelerator"));
  TRY(why, read_text(object, "why"));
  TRY(vmm, read_text(object, "vmm"));
  TRY(vmm_version, read_text(object, "vmm_version"));
  TRY(vmm_pid, read_count(object, "vmm_pid"));
  TRY(shim_pid, read_count(object, "shim_pid"));
  TRY(device_pid, read_count(object, "device_pid"));
  TRY(cid, read_count(object, "cid"));
  return EventBody(VmmStarted{.accelerator = accelerator,
                              .why = why,
                              .vmm = vmm,
                              .vmm_version = vmm_version,
                              .vmm_pid = static_cast<std::int64_t>(vmm_pid),
                              .shim_pid = static_cast<std::int64_t>(shim_pid),
                              .device_pid = static_cast<std::int64_t>(device_pid),
                              .cid = static_cast<std::uint32_t>(cid)});
}

Result<EventBody> parse_start_failed(const json& object) {
  TRY(cause, read_cause(object));
  if (!cause) return Error(Errc::invalid, "cause: missing");
  return EventBody(StartFailed{*cause});
}

Result<EventBody> parse_link_up(const json& object) {
  TRY(boot, read_text(object, "boot"));
  TRY(epoch, read_count(object, "epoch"));
  TRY(phase, read_text(object, "phase"));
  TRY(agent_version, read_text(object, "agent_version"));
  TRY(build_id, read_text(object, "build_id"));
  TRY(image_digest, read_text(object, "image_digest"));
  TRY(kernel, read_text(object, "kernel"));
  TRY(first_unacked, read_count(object, "first_unacked"));
  return EventBody(LinkUp{.boot = BootId(boot),
                          .epoch = static_cast<Epoch>(epoch),
                          .phase = phase,
                          .agent_version = agent_version,
                          .build_id = build_id,
                          .image_digest = image_digest,
                          .kernel = kernel,
                          .first_unacked = first_unacked});
}

Result<EventBody> parse_link_lost(const json& object) {
  TRY(reason, read_text(object, "reason"));
  TRY(cause, read_cause(object));
  return EventBody(LinkLost{reason, cause});
}

Result<EventBody> parse_clock_synced(const json& object) {
  TRY(offset_us, read_integer(object, "offset_us", -max_json_integer, max_json_integer));
  TRY(rtt_us, read_count(object, "rtt_us"));
  return EventBody(ClockSynced{offset_us, rtt_us});
}

Result<EventBody> parse_finding(const json& object) {
  ConsoleFinding body;
  TRY(kind, read_enum<ConsoleKind>(object, "kind"));
  TRY(text, read_text(object, "text"));
  TRY(lines, read_strings(object, "lines", 256));
  TRY(kernel_us, read_count(object, "kernel_us"));
  TRY(count, read_count(object, "count"));
  const auto captured = object.find("captured");
  if (captured != object.end() && captured->is_object())
    for (const auto& [name, value] : captured->items())
      if (value.is_string()) body.captured.emplace(name, value.get<std::string>());
  body.kind = kind;
  body.text = text;
  body.lines = lines;
  body.kernel_us = kernel_us;
  body.count = count;
  return EventBody(body);
}

Result<EventBody> parse_stop_requested(const json& object) {
  TRY(kind, read_enum<StopKind>(object, "kind"));
  TRY(grace_ms, read_count(object, "grace_ms"));
  TRY(actor, read_text(object, "actor"));
  return EventBody(StopRequested{.kind = kind, .grace = std::chrono::milliseconds(grace_ms), .actor = actor});
}

Result<EventBody> parse_vmm_exited(const json& object) {
  TRY(exit, parse_exit(object, "exit"));
  TRY(reason, read_text(object, "reason"));
  TRY(ended_unix_us, read_count(object, "ended_unix_us"));
  TRY(user_us, read_count(object, "user_us"));
  TRY(system_us, read_count(object, "system_us"));
  TRY(max_rss_kib, read_count(object, "max_rss_kib"));
  std::vector<std::string> last_words;          // not in events of older daemons
  if (object.contains("last_words")) {
    TRY(lines, read_strings(object, "last_words", 8));
    last_words = lines;
  }
  return EventBody(VmmExited{.exit = exit,
                             .reason = reason,
                             .ended_unix_us = ended_unix_us,
                             .user_us = user_us,
                             .system_us = system_us,
                             .max_rss_kib = max_rss_kib,
                             .last_words = last_words});
}

Result<EventBody> parse_device_exited(const json& object) {
  TRY(device, read_text(object, "device"));
  TRY(exit, parse_exit(object, "exit"));
  return EventBody(DeviceExited{device, exit});
}

Result<EventBody> parse_vmm_halted(const json& object) {
  TRY(halted, read_bool(object, "halted"));
  return EventBody(VmmHalted{halted});
}

Result<EventBody> parse_egress_refused(const json& object) {
  TRY(cause, read_cause(object));
  TRY(count, read_count(object, "count"));
  if (!cause) return Error(Errc::invalid, "cause: missing");
  return EventBody(EgressRefused{*cause, count});
}

Result<EventBody> parse_adopted(const json& object) {
  TRY(shim_pid, read_count(object, "shim_pid"));
  return EventBody(Adopted{static_cast<std::int64_t>(shim_pid)});
}

Result<EventBody> parse_state_changed(const json& object) {
  StateChanged body;
  TRY(state, read_enum<protocol::RunState>(object, "state"));
  TRY(power, read_enum<protocol::Power>(object, "power"));
  TRY(liveness, read_enum<protocol::Liveness>(object, "liveness"));
  TRY(cause, read_cause(object));
  body.state = state;
  body.power = power;
  body.liveness = liveness;
  body.cause = cause;
  if (object.contains("outcome") && !object["outcome"].is_null()) {
    TRY(outcome, read_enum<protocol::Outcome>(object, "outcome"));
    body.outcome = outcome;
  }
  if (object.contains("service") && object["service"].is_string()) body.service = object["service"].get<std::string>();
  return EventBody(body);
}

Result<EventBody> parse_logs_lost(const json& object) {
  TRY(service, read_text(object, "service"));
  TRY(bytes, read_count(object, "bytes"));
  TRY(reason, read_text(object, "reason"));
  return EventBody(LogsLost{service, bytes, reason});
}

Result<EventBody> parse_reconciled(const json& object) {
  TRY(what, read_text(object, "what"));
  TRY(subject, read_text(object, "subject"));
  TRY(action, read_text(object, "action"));
  TRY(reason, read_text(object, "reason"));
  return EventBody(Reconciled{what, subject, action, reason});
}

Result<EventBody> parse_restarts_ended(const json& object) {
  TRY(count, read_count(object, "count"));
  TRY(first_run, read_count(object, "first_run"));
  return EventBody(RestartsEnded{static_cast<std::uint32_t>(count), RunNumber(static_cast<std::uint32_t>(first_run))});
}

Result<EventBody> parse_pulse(const json& object) {
  PulseTaken body;
  TRY(answers, read_bool(object, "answers"));
  body.answers = answers;
  for (auto [key, count] : {std::pair("pings", &body.pings), std::pair("silent_ms", &body.silent_ms), std::pair("console_silent_ms", &body.console_silent_ms),
                            std::pair("span_ms", &body.span_ms), std::pair("ran_ms", &body.ran_ms), std::pair("waited_ms", &body.waited_ms),
                            std::pair("looks_stuck", &body.looks_stuck)}) {
    TRY(value, read_count(object, key));
    *count = value;
  }
  for (auto [key, text] : {std::pair("vmm_process", &body.vmm_process), std::pair("device_process", &body.device_process),
                           std::pair("vmm_status", &body.vmm_status), std::pair("processors", &body.processors)}) {
    TRY(value, read_text(object, key));
    *text = value;
  }
  if (object.contains("host_busy_percent") && !object["host_busy_percent"].is_null()) {
    TRY(busy, read_count(object, "host_busy_percent"));
    body.host_busy_percent = busy;
  }
  return EventBody(body);
}

Result<EventBody> parse_hold_set(const json& object) {
  TRY(holder, read_text(object, "holder"));
  TRY(until, read_count(object, "until_unix_us"));
  TRY(actor, read_text(object, "actor"));
  return EventBody(HoldSet{holder, until, actor});
}

/// LeaseSet and PolicyPaused: a time and who said it.
template <class Body>
Result<EventBody> parse_until(const json& object) {
  TRY(until, read_count(object, "until_unix_us"));
  TRY(actor, read_text(object, "actor"));
  return EventBody(Body{until, actor});
}

std::map<std::string, std::int64_t> read_figures(const json& object, const char* key) {
  std::map<std::string, std::int64_t> figures;
  if (const auto found = object.find(key); found != object.end() && found->is_object())
    for (const auto& [name, value] : found->items())
      if (value.is_number_integer()) figures.emplace(name, value.get<std::int64_t>());
  return figures;
}

Result<EventBody> parse_policy_decided(const json& object) {
  PolicyDecided body;
  for (auto [key, text] : {std::pair("rule", &body.rule), std::pair("action", &body.action), std::pair("verdict", &body.verdict), std::pair("why", &body.why)}) {
    TRY(value, read_text(object, key));
    *text = value;
  }
  TRY(due, read_count(object, "due_unix_us"));
  TRY(holders, read_strings(object, "holders", 64));
  body.due_unix_us = due;
  body.holders = holders;
  body.inputs = read_figures(object, "inputs");
  body.thresholds = read_figures(object, "thresholds");
  return EventBody(body);
}

Result<EventBody> parse_token_bound(const json& object) {
  TRY(boot, read_text(object, "boot"));
  TRY(sha256, read_text(object, "sha256"));
  return EventBody(TokenBound{BootId(boot), sha256});
}

Result<EventBody> parse_report_repeated(const json& object) {
  TRY(boot, read_text(object, "boot"));
  TRY(epoch, read_count(object, "epoch"));
  TRY(seq, read_count(object, "seq"));
  TRY(origin_boot, read_text(object, "origin_boot"));
  TRY(origin_seq, read_count(object, "origin_seq"));
  return EventBody(ReportRepeated{BootId(boot), static_cast<Epoch>(epoch), seq, BootId(origin_boot), origin_seq});
}

/// The bodies that are one text.
template <class Body, const char* key>
Result<EventBody> parse_text(const json& object) {
  TRY(text, read_text(object, key));
  return EventBody(Body{text});
}
constexpr char key_reason[] = "reason", key_name[] = "name", key_actor[] = "actor";

using Parse = Result<EventBody> (*)(const json&);
constexpr std::pair<std::string_view, Parse> parsers[] = {
    {"created", parse_created},
    {"start_requested", parse_start_requested},
    {"vmm_started", parse_vmm_started},
    {"start_failed", parse_start_failed},
    {"link_up", parse_link_up},
    {"link_lost", parse_link_lost},
    {"link_refused", parse_text<LinkRefused, key_reason>},
    {"egress_refused", parse_egress_refused},
    {"clock_synced", parse_clock_synced},
    {"console_finding", parse_finding},
    {"deadline_passed", parse_text<DeadlinePassed, key_name>},
    {"stop_requested", parse_stop_requested},
    {"vmm_exited", parse_vmm_exited},
    {"device_exited", parse_device_exited},
    {"vmm_halted", parse_vmm_halted},
    {"shim_lost", parse_text<ShimLost, key_reason>},
    {"adopted", parse_adopted},
    {"state", parse_state_changed},
    {"removed", parse_text<Removed, key_actor>},
    {"logs_lost", parse_logs_lost},
    {"reconciled", parse_reconciled},
    {"restarts_ended", parse_restarts_ended},
    {"pulse", parse_pulse},
    {"hold_set", parse_hold_set},
    {"lease_set", parse_until<LeaseSet>},
    {"policy_paused", parse_until<PolicyPaused>},
    {"policy_decided", parse_policy_decided},
    {"token_bound", parse_token_bound},
    {"report_repeated", parse_report_repeated},
};
static_assert(std::size(parsers) == std::size(host_types) && std::size(parsers) == std::variant_size_v<EventBody> - 1);

}  // namespace

json exit_json(const protocol::ExitStatus& exit) {
  return std::visit(Overloaded{
                        [](const protocol::ExitCode& code) { return json{{"code", code.code}}; },
                        [](const protocol::ExitSignal& signal) { return json{{"signal", signal.signal}, {"core", signal.core}}; },
                        [](const protocol::ExitUnknown& unknown) { return json{{"unknown", unknown.reason}}; },
                    },
                    exit);
}

Result<protocol::ExitStatus> parse_exit(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return Error(Errc::invalid, std::string(key) + ": not an object");
  if (found->contains("code")) {
    TRY(code, read_integer(*found, "code", INT32_MIN, INT32_MAX));
    return protocol::ExitStatus(protocol::ExitCode{static_cast<std::int32_t>(code)});
  }
  if (found->contains("signal")) {
    TRY(signal, read_integer(*found, "signal", 0, 1024));
    TRY(core, try_read_bool(*found, "core"));
    return protocol::ExitStatus(protocol::ExitSignal{static_cast<std::int32_t>(signal), core.value_or(false)});
  }
  TRY(reason, read_text(*found, "unknown"));
  return protocol::ExitStatus(protocol::ExitUnknown{reason});
}

std::string host_body_json(const EventBody& body) {
  return dump_json(std::visit([](const auto& known) { return body_json(known); }, body));
}

Result<EventBody> parse_host_body(std::string_view type, std::string_view text) {
  TRY(object, parse_json(text));
  if (!object.is_object()) return Error(Errc::invalid, "not a JSON object");
  for (const auto& [name, parse] : parsers)
    if (name == type) return parse(object);
  return Error(Errc::unsupported, "not an event of this version");
}

}  // namespace vigil::machine

#include "host/api/to_json.hpp"

#include "host/api/or_null.hpp"
#include "host/machine/crash_cause.hpp"
#include "host/machine/derive.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace vigil::api {

using nlohmann::json;

namespace {

std::string_view severity_text(protocol::Severity severity) {
    switch (severity) {
        case protocol::Severity::info: return "info";
        case protocol::Severity::warning: return "warning";
        case protocol::Severity::error: return "error";
        case protocol::Severity::fatal: return "fatal";
    }
    std::abort();
}

/// Text that one of our encoders wrote; that it cannot be read back would be our bug.
json parse_own(const std::string& text) {
    auto parsed = parse_json(text, {.max_bytes = 4 << 20, .max_depth = 16, .max_values = 200'000});
    if (!parsed) std::abort();
    return std::move(*parsed);
}

/// The causes inside a report get their sentences, too.
json body_json(const protocol::ReportBody& body, const std::optional<protocol::Cause>& cause) {
    json out = parse_own(protocol::encode_body(body));
    out["cause"] = cause ? to_json(*cause) : json(nullptr);
    return out;
}

}  // namespace

json to_json(const protocol::Cause& cause) {
    json out = parse_own(protocol::encode_cause(cause));
    out["sentence"] = protocol::sentence(cause);
    out["advice"] = protocol::advice(cause);
    out["severity"] = severity_text(protocol::severity(cause));
    return out;
}

json to_json(const protocol::ServiceReport& report) { return body_json(report, report.cause); }

json to_json(const machine::CrashRecord& crash, RunNumber run) {
  json out = body_json(crash.report, machine::cause_of(crash));
  if (!out.contains("oom")) out["oom"] = nullptr;
  if (!out.contains("victim")) out["victim"] = nullptr;
  out["run"] = run.value();
  out["seq"] = crash.seq;
  out["at_unix_us"] = crash.at_unix_us;
  out["partial"] = crash.partial;
  out["trace"] = crash.trace ? parse_own(protocol::encode_body(*crash.trace)) : json(nullptr);
  return out;
}

json to_json(const verdict::Finding& finding) {
    json out = {{"cause", to_json(finding.cause)}, {"at_unix_us", finding.at_unix_us}, {"evidence", finding.cause.evidence}};
    out["service"] = finding.service ? json(finding.service->value()) : json(nullptr);
    return out;
}

json services_json(const machine::VmState& state) {
    json out = json::array();
    if (!state.run) return out;
    for (const auto& [name, record] : state.run->services) {
      json service = body_json(record.report, machine::cause_of(*state.run, record));
      service["partial"] = record.partial;
      out.push_back(std::move(service));
    }
    return out;
}

json why_json(const machine::VmState& state, const std::vector<std::string>& console_tail) {
    const auto verdict = verdict::classify(state, console_tail);
    json out = {{"state", vigil::to_text(verdict.state)}, {"summary", verdict.summary}, {"also", json::array()}};
    out["run"] = state.run ? state.run->number.value() : 0;
    out["outcome"] = verdict.outcome ? json(vigil::to_text(*verdict.outcome)) : json(nullptr);
    out["verdict"] = verdict.main ? to_json(*verdict.main) : json(nullptr);
    for (const auto& finding : verdict.also) out["also"].push_back(to_json(finding));
    return out;
}

json crashes_json(const machine::Run& run) {
    json list = json::array();
    for (const auto& crash : run.crashes) list.push_back(to_json(crash, run.number));
    return list;
}

/// How the guest is, and who listens in it; null and empty before it has told.
void put_vitals(json& out, const std::optional<machine::Run>& run) {
    out["health"] = run && run->vitals ? parse_own(protocol::encode_body(*run->vitals)) : json(nullptr);
    protocol::NetReport net;
    if (run) net.listeners = run->listeners;
    out["listeners"] = parse_own(protocol::encode_body(net))["listeners"];
}

json instance_json(const Look& look) {
    const auto& state = look.state;
    const auto& run = state.run;
    const auto verdict = verdict::classify(state, look.console_tail);
    json out = {{"id", look.row.id.value()},
                {"name", look.row.name.value()},
                {"image", machine::image_reference(look.row.spec)},
                {"power", vigil::to_text(machine::power(state))},
                {"state", vigil::to_text(machine::derive(state))},
                {"liveness", vigil::to_text(machine::liveness(state))},
                {"run", run ? run->number.value() : 0},
                {"vcpus", look.row.spec.vcpus},
                {"memory_mib", look.row.spec.memory_mib},
                {"created_unix_us", look.row.created_unix_us},
                {"ready_after_ms", or_null(machine::ready_after_ms(state))},
                {"services", services_json(state)},
                {"link", run && run->link_is_up},
                {"removed", look.row.removed_unix_us.has_value()},
                {"owner", look.row.spec.owner.empty() ? json(nullptr) : json(look.row.spec.owner)},
                {"labels", look.row.spec.labels}};
    put_vitals(out, run);
    const bool is_known = run && run->link;
    out["agent"] = is_known ? json{{"version", run->link->agent_version}, {"build_id", run->link->build_id}} : json(nullptr);
    out["accelerator"] = run && run->accelerator ? json(vigil::to_text(*run->accelerator)) : json(nullptr);
    out["vmm"] = run && run->vmm ? json{{"name", run->vmm->vmm}, {"version", run->vmm->vmm_version}} : json(nullptr);
    out["cause"] = verdict.main ? to_json(verdict.main->cause) : json(nullptr);
    out["outcome"] = verdict.outcome ? json(vigil::to_text(*verdict.outcome)) : json(nullptr);
    const bool lives = run && run->vmm && !run->end;
    out["pid"] = lives ? json(run->vmm->vmm_pid) : json(nullptr);
    return out;
}

json exit_json(const protocol::ExitStatus& status) {
    if (const auto* const code = std::get_if<protocol::ExitCode>(&status)) return {{"code", code->code}};
    if (const auto* const signal = std::get_if<protocol::ExitSignal>(&status)) return {{"signal", signal->signal}, {"core", signal->core}};
    return {{"unknown", std::get<protocol::ExitUnknown>(status).reason}};
}

}  // namespace vigil::api

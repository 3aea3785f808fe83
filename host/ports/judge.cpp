#include "host/ports/judge.hpp"

#include "host/machine/derive.hpp"
#include "host/machine/reduce.hpp"
#include "host/verdict/verdict.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace vigil::ports {

using machine::Run;
using machine::ServiceRecord;
using protocol::CauseCode;
using protocol::RunState;
using protocol::ServiceState;

namespace {

Refusal refuse(int status, const protocol::Cause& cause, const std::string& title, const std::string& more = "") {
    const auto advice = protocol::advice(cause);
    return {status, cause.text, title, protocol::sentence(cause) + more + (advice.empty() ? "" : "; " + advice), ""};
}

/// 8080 of "http:8080/path" and "tcp:8080"; nullopt when the probe is of something else.
std::optional<std::uint16_t> port_of_probe(const std::string& probe) {
    const auto colon = probe.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto kind = probe.substr(0, colon);
    if (kind != "tcp" && kind != "http" && kind != "websocket" && kind != "rfb") return std::nullopt;
    std::uint16_t port = 0;
    const char* const begin = probe.data() + colon + 1;
    const auto [end, failure] = std::from_chars(begin, probe.data() + probe.size(), port);
    if (failure != std::errc() || end == begin || port == 0) return std::nullopt;
    return port;
}

/// Ports of a service: those that its probes name, in their order; without any, those that it listens on.
std::vector<std::uint16_t> ports_of(const Run& run, const protocol::ServiceReport& service) {
    std::vector<std::uint16_t> ports;
    const auto add = [&](std::uint16_t port) {
        if (std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
    };
    for (const auto& probe : service.probes)
        if (const auto port = port_of_probe(probe.probe)) add(*port);
    if (!ports.empty()) return ports;
    for (const auto& listener : run.listeners)
        if (listener.service == service.name.value()) add(listener.port);
    return ports;
}

const ServiceRecord* owner_of(const Run& run, std::uint16_t port) {
    for (const auto& [name, record] : run.services) {
        const auto ports = ports_of(run, record.report);
        if (std::ranges::find(ports, port) != ports.end()) return &record;
    }
    return nullptr;
}

std::string joined(const std::vector<std::uint16_t>& ports) {
    std::string text;
    for (const auto port : ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
    return text;
}

Judgement go_to(const Run& run, const protocol::ServiceReport& service, const Wanted& wanted) {
    if (wanted.port) return Go{*wanted.port};
    const auto ports = ports_of(run, service);
    if (ports.size() == 1) return Go{ports.front()};
    if (ports.empty())
        return Refusal{404, "not_found", "the service has no port", service.name.value() + " is ready but listens on no TCP port (vigil ports shows all)", ""};
    return Refusal{409, "conflict", "the service has several ports", service.name.value() + " has " + joined(ports) + "; ask for one by its number", ""};
}

Judgement judge_service(const Run& run, const ServiceRecord& record, const Wanted& wanted) {
    const auto& service = record.report;
    const std::string title = "the service " + service.name.value() + " is not there";
    const auto given_up = [&]() -> Refusal {
        if (service.cause) return refuse(503, *service.cause, title);
        return refuse(503, protocol::make_cause(CauseCode::port_service_stopped, {{"service", service.name.value()}}), title);
    };
    switch (service.state) {
        case ServiceState::ready: return go_to(run, service, wanted);
        case ServiceState::failed:
        case ServiceState::stopped: return given_up();
        case ServiceState::waiting:
        case ServiceState::starting:
        case ServiceState::unready:
        case ServiceState::stopping:
        case ServiceState::backoff: break;
    }
    if (machine::gave_up(service)) return given_up();
    return Wait{"the service " + service.name.value() + ", which is " + std::string(to_text(service.state))};
}

/// Of a run that is over, or that will not come up: the verdict's cause, else that it is stopped.
Refusal refuse_vm(const machine::VmState& state) {
    const std::string title = "the VM is not there";
    if (state.run)
        if (const auto verdict = verdict::classify(state); verdict.main && verdict.state != RunState::stopped)
            return refuse(503, verdict.main->cause, title, " (" + state.spec.name.value() + ")");
    return refuse(503, protocol::make_cause(CauseCode::port_vm_stopped, {{"vm", state.spec.name.value()}}), title);
}

bool will_run_again(const machine::VmState& state) {
    return std::ranges::any_of(machine::pending_effects(state), [](const machine::Effect& each) { return std::holds_alternative<machine::StartNextRun>(each); });
}

Judgement judge_unowned(const machine::VmState& state, const Wanted& wanted) {
    const Run& run = *state.run;
    const auto reached = machine::derive(state);
    if (wanted.port) {
        const bool listens = std::ranges::any_of(run.listeners, [&](const auto& each) { return each.port == *wanted.port; });
        if (listens || run.all_services_known) {
            if (!listens && reached == RunState::booting) return Wait{"the VM, which is booting"};
            return Go{*wanted.port};
        }
    }
    if (reached == RunState::failed || reached == RunState::crashed) return refuse_vm(state);
    if (!run.all_services_known) return Wait{"the VM, which is booting"};
    std::string names;
    for (const auto& [name, record] : run.services) names += (names.empty() ? "" : ", ") + name.value();
    return Refusal{404, "not_found", "no such service", state.spec.name.value() + " has no service " + wanted.service + "; it has: " + names, ""};
}

}  // namespace

Judgement judge(const machine::VmState& state, const Wanted& wanted) {
    if (state.removed) return Refusal{404, "not_found", "not found", state.spec.name.value() + " was removed", ""};
    if (!state.run || state.run->end || state.run->start_failed) {
        if (state.run && will_run_again(state)) return Wait{"the VM's next run"};
        return refuse_vm(state);
    }
    const Run& run = *state.run;
    if (machine::derive(state) == RunState::crashed) return refuse_vm(state);
    const ServiceRecord* service = nullptr;
    if (wanted.port) {
        service = owner_of(run, *wanted.port);
    } else if (const auto found = run.services.find(ServiceName(wanted.service)); found != run.services.end()) {
        service = &found->second;
    }
    return service != nullptr ? judge_service(run, *service, wanted) : judge_unowned(state, wanted);
}

Refusal not_ready_in_time(const Wanted& wanted, const std::string& what, std::chrono::milliseconds waited) {
    const auto cause = protocol::make_cause(CauseCode::port_not_ready, {{"port", wanted.text()}, {"waiting_for", what}});
    return refuse(503, cause, "not ready in time", " (waited " + std::to_string(waited.count()) + " ms)");
}

Refusal not_answering(std::uint16_t port, std::chrono::milliseconds waited) {
    const auto cause = protocol::make_cause(CauseCode::service_not_answering, {{"port", std::int64_t{port}}});
    return refuse(504, cause, "no answer in time", " (within " + std::to_string(waited.count()) + " ms)");
}

Refusal not_reached(std::uint16_t port, const Error& error) {
    if (error.code() == Errc::unavailable) {
        const auto cause = protocol::make_cause(CauseCode::port_not_reached, {{"port", std::int64_t{port}}, {"reason", error.message()}});
        return refuse(502, cause, "the port cannot be reached");
    }
    const int status = error.code() == Errc::timeout ? 504 : error.code() == Errc::limit ? 503 : 502;
    return {status, std::string(to_text(error.code())), "the port cannot be reached", error.message(), ""};
}

std::vector<KnownPort> known_ports(const Run& run) {
    std::map<std::uint16_t, KnownPort> ports;
    for (const auto& [name, record] : run.services)
        for (const auto number : ports_of(run, record.report)) ports[number] = {number, name.value(), "", std::string(to_text(record.report.state)), 0, {}};
    for (const auto& listener : run.listeners) {
        auto& port = ports[listener.port];
        port.port = listener.port;
        port.process = listener.process;
        port.pid = listener.pid;
        if (port.service.empty()) port.service = listener.service;
        if (std::ranges::find(port.addresses, listener.address) == port.addresses.end()) port.addresses.push_back(listener.address);
    }
    std::vector<KnownPort> list;
    for (auto& [number, port] : ports) list.push_back(std::move(port));
    return list;
}

}  // namespace vigil::ports

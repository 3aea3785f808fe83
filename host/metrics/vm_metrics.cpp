#include "host/metrics/vm_metrics.hpp"

#include "host/machine/derive.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/protocol/cause.hpp"

#include <algorithm>

namespace vigil::metrics {

using namespace protocol;

namespace {

constexpr double us_per_second = 1e6;

/// Only codes of our table become label values: a guest can invent others without end.
std::string code_label(const Cause& cause) { return cause.code == CauseCode::unlisted ? "unlisted" : cause.text; }

std::string event_label(const machine::VmEvent& event) {
    const auto* reported = std::get_if<machine::Reported>(&event.body);
    const bool is_unknown = reported != nullptr && std::holds_alternative<OtherReport>(reported->report.body);
    return is_unknown ? "other" : machine::event_type(event.body);
}

std::string reason_label(const std::string& reason) {
    for (const auto* known : {"guest", "rate", "disk", "services"})
        if (reason == known) return known;
    return "other";
}

}  // namespace

void VmMetrics::observe(const machine::VmState& state, const machine::VmEvent& event) {
    ++events_[event_label(event)];
    if (const auto* reported = std::get_if<machine::Reported>(&event.body)) count_report(state, event, *reported);
    if (std::holds_alternative<machine::LinkUp>(event.body)) ++links_up_;
    if (std::holds_alternative<machine::LinkLost>(event.body)) ++links_lost_;
    if (std::holds_alternative<machine::LinkRefused>(event.body)) ++links_refused_;
    if (std::holds_alternative<machine::Adopted>(event.body)) ++adopted_;
    if (const auto* halted = std::get_if<machine::VmmHalted>(&event.body); halted != nullptr && halted->halted) ++halted_;
    if (const auto* lost = std::get_if<machine::LogsLost>(&event.body)) log_bytes_lost_[reason_label(lost->reason)] += lost->bytes;
    const bool is_end = std::holds_alternative<machine::VmmExited>(event.body) || std::holds_alternative<machine::StartFailed>(event.body) ||
                        std::holds_alternative<machine::ShimLost>(event.body);
    if (is_end) note_end(state);
    note_ready(state);
    if (std::holds_alternative<machine::Removed>(event.body)) ready_counted_.erase(event.instance);
}

void VmMetrics::count_report(const machine::VmState& state, const machine::VmEvent& event, const machine::Reported& reported) {
    ++(reported.channel == machine::Channel::link ? reports_by_link_ : reports_by_console_);
    if (const auto* crash = std::get_if<CrashReport>(&reported.report.body); crash != nullptr && !reported.partial) ++crashes_[code_label(crash->cause)];
    if (const auto* dropped = std::get_if<DroppedReport>(&reported.report.body)) dropped_reports_["guest"] += dropped->count;
    const auto* service = std::get_if<ServiceReport>(&reported.report.body);
    const bool is_readiness = service != nullptr && service->state == ServiceState::ready && reported.channel == machine::Channel::link;
    const bool tells_time = is_readiness && state.run && state.run->clock;
    if (!tells_time) return;
    const auto then = static_cast<std::int64_t>(reported.report.mono_us) + state.run->clock->offset_us;
    const auto lag = static_cast<std::int64_t>(event.mono_us) - then;
    readiness_lag_.observe(static_cast<double>(std::max<std::int64_t>(lag, 0)) / us_per_second);
}

/// Once a run: how long each stage took, as the host saw it.
void VmMetrics::note_ready(const machine::VmState& state) {
    if (!state.run || !state.run->ready_mono_us) return;
    auto& counted = ready_counted_.try_emplace(state.id, RunNumber(0)).first->second;
    if (counted == state.run->number) return;
    counted = state.run->number;
    MonoUs before = state.run->started_mono_us;
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
        const auto at = state.run->stages[stage].host_mono_us;
        if (!at) continue;
        stages_[stage].observe(static_cast<double>(*at - std::min(before, *at)) / us_per_second);
        before = std::max(before, *at);
    }
    ready_.observe(static_cast<double>(*state.run->ready_mono_us - std::min(state.run->started_mono_us, *state.run->ready_mono_us)) / us_per_second);
}

void VmMetrics::note_end(const machine::VmState& state) {
    if (!state.run || !state.run->end) return;
    const auto outcome = machine::outcome(state);
    ++outcomes_[outcome ? std::string(to_text(*outcome)) : "unknown"];
}

std::string VmMetrics::text(const std::vector<const machine::VmState*>& instances, const DaemonFigures& daemon) const {
    Exposition out;
    out.family("vigil_daemon_info", Kind::gauge, "The daemon, always 1.");
    out.sample(1, {{"version", daemon.version}});
    write_instances(out, instances);
    write_boots(out);
    write_links(out);
    write_losses(out);
    out.family("vigil_store_newest_event", Kind::gauge, "Number of the newest stored event.");
    out.sample(static_cast<double>(daemon.newest_event));
    out.family("vigil_store_commit_failures_total", Kind::counter, "Transactions that the store refused; what they held is tried again.");
    out.sample(static_cast<double>(daemon.commit_failures));
    out.family("vigil_blackboxes", Kind::gauge, "Black boxes that are kept.");
    out.sample(static_cast<double>(daemon.black_boxes));
    out.family("vigil_blackbox_bytes", Kind::gauge, "Size of all black boxes.");
    out.sample(static_cast<double>(daemon.black_box_bytes));
    write_process_figures(out);
    return out.take();
}

void VmMetrics::write_instances(Exposition& out, const std::vector<const machine::VmState*>& instances) const {
    std::map<RunState, std::uint64_t> states;
    std::map<ServiceState, std::uint64_t> services;
    std::uint64_t links = 0, unresponsive = 0;
    for (const auto* state : instances) {
        ++states[machine::derive(*state)];
        if (machine::liveness(*state) == Liveness::unresponsive) ++unresponsive;
        if (!state->run || state->run->end) continue;
        if (state->run->link_is_up) ++links;
        for (const auto& each : state->run->services) ++services[each.second.report.state];
    }
    out.family("vigil_instances", Kind::gauge, "Existing instances by state.");
    for (const auto state : {RunState::crashed, RunState::failed, RunState::stopped, RunState::booting, RunState::unready, RunState::degraded, RunState::ready})
        out.sample(static_cast<double>(states[state]), {{"state", std::string(to_text(state))}});
    out.family("vigil_services", Kind::gauge, "Services of running instances by state.");
    for (const auto state : {ServiceState::waiting, ServiceState::starting, ServiceState::ready, ServiceState::unready, ServiceState::stopping,
                             ServiceState::stopped, ServiceState::backoff, ServiceState::failed})
        out.sample(static_cast<double>(services[state]), {{"state", std::string(to_text(state))}});
    out.family("vigil_links", Kind::gauge, "Instances whose agent is connected now.");
    out.sample(static_cast<double>(links));
    out.family("vigil_instances_unresponsive", Kind::gauge, "Instances that two independent signals call unresponsive.");
    out.sample(static_cast<double>(unresponsive));
}

void VmMetrics::write_boots(Exposition& out) const {
    out.family("vigil_boot_stage_seconds", Kind::histogram, "How long each boot stage took in runs that became ready, by the host's clock.");
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) out.sample(stages_[stage], {{"stage", std::string(to_text(all_stages[stage]))}});
    out.family("vigil_ready_seconds", Kind::histogram, "From the request to start until ready.");
    out.sample(ready_);
    out.family("vigil_readiness_lag_seconds", Kind::histogram, "From a service's readiness in the guest until it is stored here.");
    out.sample(readiness_lag_);
    out.family("vigil_runs_ended_total", Kind::counter, "Runs that ended, by outcome.");
    for (const auto outcome : {Outcome::clean, Outcome::failed, Outcome::crashed, Outcome::destroyed, Outcome::unknown}) {
        const auto found = outcomes_.find(std::string(to_text(outcome)));
        out.sample(found == outcomes_.end() ? 0 : static_cast<double>(found->second), {{"outcome", std::string(to_text(outcome))}});
    }
    out.family("vigil_crashes_total", Kind::counter, "Processes that died in guests, by cause.");
    for (const auto& [code, count] : crashes_) out.sample(static_cast<double>(count), {{"cause", code}});
    out.family("vigil_runs_adopted_total", Kind::counter, "Runs that a daemon before this one had started.");
    out.sample(static_cast<double>(adopted_));
    out.family("vigil_vmm_halts_total", Kind::counter, "Times that a VMM's process was stopped by a signal.");
    out.sample(static_cast<double>(halted_));
}

void VmMetrics::write_links(Exposition& out) const {
    out.family("vigil_events_total", Kind::counter, "Stored events by type.");
    for (const auto& [type, count] : events_) out.sample(static_cast<double>(count), {{"type", type}});
    out.family("vigil_links_made_total", Kind::counter, "Links that agents made.");
    out.sample(static_cast<double>(links_up_));
    out.family("vigil_links_lost_total", Kind::counter, "Links that were lost.");
    out.sample(static_cast<double>(links_lost_));
    out.family("vigil_links_refused_total", Kind::counter, "Links that were refused: a wrong token, or not the agent.");
    out.sample(static_cast<double>(links_refused_));
    out.family("vigil_reports_total", Kind::counter, "Reports of guests, by the way they came.");
    out.sample(static_cast<double>(reports_by_link_), {{"channel", "link"}});
    out.sample(static_cast<double>(reports_by_console_), {{"channel", "console"}});
}

void VmMetrics::write_losses(Exposition& out) const {
    const auto dropped = dropped_reports_.find("guest");
    out.family("vigil_reports_dropped_total", Kind::counter, "Reports that guests dropped or put together under pressure, as they told.");
    out.sample(dropped == dropped_reports_.end() ? 0 : static_cast<double>(dropped->second));
    out.family("vigil_service_log_lost_bytes_total", Kind::counter, "Output of services that is in no log, by reason.");
    for (const auto* reason : {"guest", "rate", "disk", "services", "other"}) {
        const auto found = log_bytes_lost_.find(reason);
        out.sample(found == log_bytes_lost_.end() ? 0 : static_cast<double>(found->second), {{"reason", reason}});
    }
}

}  // namespace vigil::metrics

// What a VmState is made of, member by member: one description for writing and for reading. Private to this folder.
//
// A member that is added to vm_state.hpp is added here, and snapshot_version is raised: snapshots of the former are then not read, and the log is replayed.
#pragma once

#include "host/machine/vm_state.hpp"

#include <concepts>
#include <type_traits>

namespace vigil::machine {

inline constexpr std::uint32_t snapshot_version = 2;

/// The struct to read into, or the same to write from.
template <class T, class Struct>
concept Either = std::same_as<std::remove_const_t<T>, Struct>;

void fields(auto& archive, Either<StageRecord> auto& stage) {
  archive("progress", stage.progress);
  archive("guest_us", stage.guest_us);
  archive("host_unix_us", stage.host_unix_us);
  archive("host_mono_us", stage.host_mono_us);
  archive("detail", stage.detail);
  archive("cause", stage.cause);
}

void fields(auto& archive, Either<ServiceRecord> auto& service) {
  archive("report", service.report);
  archive("partial", service.partial);
  archive("while_stopping", service.while_stopping);
  archive("boot", service.boot);
  archive("seq", service.seq);
  archive("at_unix_us", service.at_unix_us);
  archive("first_ready_unix_us", service.first_ready_unix_us);
  archive("first_ready_mono_us", service.first_ready_mono_us);
}

void fields(auto& archive, Either<CrashRecord> auto& crash) {
  archive("seq", crash.seq);
  archive("at_unix_us", crash.at_unix_us);
  archive("partial", crash.partial);
  archive("report", crash.report);
  archive("trace", crash.trace);
}

void fields(auto& archive, Either<FindingRecord> auto& finding) {
  archive("at_unix_us", finding.at_unix_us);
  archive("mono_us", finding.mono_us);
  archive("finding", finding.finding);
  archive("after_ready", finding.after_ready);
  archive("taken_back", finding.taken_back);
}

void fields(auto& archive, Either<MissedStage> auto& missed) {
  archive("stage", missed.stage);
  archive("waiting_for", missed.waiting_for);
  archive("at_unix_us", missed.at_unix_us);
}

void fields(auto& archive, Either<StopRecord> auto& stop) {
  archive("request", stop.request);
  archive("at_unix_us", stop.at_unix_us);
  archive("kill_sent", stop.kill_sent);
}

void fields(auto& archive, Either<ByeRecord> auto& bye) {
  archive("report", bye.report);
  archive("at_unix_us", bye.at_unix_us);
}

void fields(auto& archive, Either<EndRecord> auto& end) {
  archive("at_unix_us", end.at_unix_us);
  archive("exit", end.exit);
  archive("reason", end.reason);
  archive("last_words", end.last_words);
}

void fields(auto& archive, Either<TimedCause> auto& timed) {
  archive("at_unix_us", timed.at_unix_us);
  archive("cause", timed.cause);
}

/// What the guest and its VMM have told.
void told_fields(auto& archive, Either<Run> auto& run) {
  archive("stages", run.stages);
  archive("services", run.services);
  archive("crashes", run.crashes);
  archive("findings", run.findings);
  archive("health", run.health);
  archive("vitals", run.vitals);
  archive("listeners", run.listeners);
  archive("link_causes", run.link_causes);
  archive("egress_refused", run.egress_refused);
  archive("egress_causes", run.egress_causes);
  archive("signin_failures", run.signin_failures);
  archive("device_causes", run.device_causes);
  archive("vmm_halted", run.vmm_halted);
  archive("console_heard", run.console_heard);
  archive("all_services_known", run.all_services_known);
  archive("bye", run.bye);
  archive("reports_dropped", run.reports_dropped);
  archive("log_bytes_lost", run.log_bytes_lost);
}

void fields(auto& archive, Either<Run> auto& run) {
  archive("number", run.number);
  archive("actor", run.actor);
  archive("started_unix_us", run.started_unix_us);
  archive("started_mono_us", run.started_mono_us);
  archive("accelerator", run.accelerator);
  archive("vmm", run.vmm);
  told_fields(archive, run);
  archive("missed", run.missed);
  archive("start_failed", run.start_failed);
  archive("link", run.link);
  archive("link_is_up", run.link_is_up);
  archive("links_lost", run.links_lost);
  archive("link_lost_unix_us", run.link_lost_unix_us);
  archive("clock", run.clock);
  archive("ready_unix_us", run.ready_unix_us);
  archive("ready_mono_us", run.ready_mono_us);
  archive("ready_unauthenticated", run.ready_unauthenticated);
  archive("stop", run.stop);
  archive("link_overdue", run.link_overdue);
  archive("console_overdue", run.console_overdue);
  archive("pulse", run.pulse);
  archive("pulse_since_unix_us", run.pulse_since_unix_us);
  archive("end", run.end);
  archive("outcome", run.outcome);
  archive("dropped_evidence", run.dropped_evidence);
}

void fields(auto& archive, Either<VmState> auto& state) {
  archive("id", state.id);
  archive("spec", state.spec);
  archive("created_unix_us", state.created_unix_us);
  archive("removed", state.removed);
  archive("last_seq", state.last_seq);
  archive("run", state.run);
  archive("unready_reboots", state.unready_reboots);
  archive("unsteady_runs", state.unsteady_runs);
  archive("restarts_ended", state.restarts_ended);
  archive("deadlines", state.deadlines);
  archive("holds", state.holds);
  archive("lease", state.lease);
  archive("policy_paused", state.policy_paused);
  archive("decided", state.decided);
  archive("announced", state.announced);
  archive("stray_events", state.stray_events);
}

}  // namespace vigil::machine

/// Where calls with an archive find it: protocol knows nothing of archives.
namespace vigil::machine::archive {

void fields(auto& archive, Either<protocol::ListeningPort> auto& listener) {
  archive("service", listener.service);
  archive("process", listener.process);
  archive("pid", listener.pid);
  archive("address", listener.address);
  archive("port", listener.port);
}

}  // namespace vigil::machine::archive

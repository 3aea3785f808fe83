#include "host/machine/reports.hpp"

#include "host/machine/derive.hpp"
#include "host/machine/event_json.hpp"
#include "shared/base/overloaded.hpp"

#include <algorithm>
#include <utility>

namespace vigil::machine {

using namespace protocol;

namespace {

constexpr std::size_t max_crashes = 64;
constexpr std::size_t max_signin_failures = 8;   // the table of providers is shorter; the names are the guest's
constexpr auto exit_after_bye = std::chrono::seconds(15);

void apply(const Change& change, const Reported& reported, const StageReport& stage) {
  switch (stage.phase) {
    case StageReport::Phase::begin: return stage_begins(change, stage.stage, stage.detail);
    case StageReport::Phase::failed:
      return stage_failed(change, stage.stage, reported.report.mono_us, stage.detail,
                          stage.cause.value_or(make_cause(CauseCode::unknown, {{"seen", "a boot stage failed without a cause"}})));
    case StageReport::Phase::done: break;
  }
  const bool says_all = stage.stage == Stage::services || stage.stage == Stage::ready;
  if (!says_all) return stage_reached(change, stage.stage, reported.report.mono_us, stage.detail);
  change.run.ready_unauthenticated = reported.partial;
  change.run.all_services_known = true;
  // `ready` is the host's own conclusion, drawn in note_ready(); the guest's word alone only gives its time.
  if (stage.stage == Stage::services) stage_reached(change, Stage::services, reported.report.mono_us, stage.detail);
  else stage_record(change.run, Stage::ready).guest_us = reported.report.mono_us;
}

/// Reports of one service arrive by two channels: an older one must not undo a newer one.
bool is_older(const ServiceRecord& known, const Report& report) {
  constexpr std::size_t on_console = 8;          // digits of the boot id that a console record carries
  const std::string_view known_boot = known.boot.value(), boot = report.boot.value();
  return known_boot.substr(0, on_console) == boot.substr(0, on_console) && known.seq > report.seq;
}

void apply(const Change& change, const Reported& reported, const ServiceReport& service) {
  auto& services = change.run.services;
  const auto found = services.find(service.name);
  if (found == services.end() && services.size() >= max_services) {
    ++change.run.dropped_evidence;
    return;
  }
  auto& record = services[service.name];
  const bool is_known = found != services.end();
  if (is_known && is_older(record, reported.report)) return;
  const bool was_ready = record.first_ready_mono_us.has_value();
  auto probes = std::exchange(record.report.probes, {});
  record.report = service;
  if (reported.partial && service.probes.empty()) {   // a digest has no room for them: which port is whose stays known
    for (auto& probe : probes) probe.passed = probe.passed || service.state == ServiceState::ready;
    record.report.probes = std::move(probes);
  }
  record.partial = reported.partial;
  record.while_stopping = change.run.stop.has_value() || change.run.bye.has_value();
  record.boot = reported.report.boot;
  record.seq = reported.report.seq;
  record.at_unix_us = change.event.at_unix_us;
  if (service.state != ServiceState::ready || was_ready) return;
  record.first_ready_unix_us = change.event.at_unix_us;
  record.first_ready_mono_us = change.event.mono_us;
}

/// The ids are unique within a boot, and what an earlier boot has kept on its disk comes among this one's.
bool is_same(const CrashReport& one, const CrashReport& other) {
  const auto boot_of = [](const CrashReport& crash) { return crash.origin ? crash.origin->first : BootId(); };
  return one.crash == other.crash && boot_of(one) == boot_of(other);
}

void apply(const Change& change, const Reported& reported, const CrashReport& crash) {
  auto& crashes = change.run.crashes;
  CrashRecord record{change.event.seq, change.event.at_unix_us, reported.partial, crash, std::nullopt};
  const auto same = std::find_if(crashes.begin(), crashes.end(), [&](const CrashRecord& each) { return is_same(each.report, crash); });
  if (same != crashes.end()) {
    if (reported.partial) return;
    record.at_unix_us = same->at_unix_us;
    record.trace = same->trace;
    *same = record;
    return;
  }
  if (crashes.size() >= max_crashes) {           // the first one and the newest ones tell most
    crashes.erase(crashes.begin() + 1);
    ++change.run.dropped_evidence;
  }
  crashes.push_back(std::move(record));
}

void apply(const Change& change, const Reported&, const CrashTrace& trace) {
  for (auto& record : change.run.crashes)
    if (record.report.crash == trace.crash && !record.report.origin) record.trace = trace;
}

void apply(const Change& change, const Reported& reported, const HealthReport& health) {
  change.run.health.clear();
  for (const auto& cause : health.causes) change.run.health.push_back({change.event.at_unix_us, cause});
  if (!reported.partial) change.run.vitals = health;
}

void apply(const Change& change, const Reported&, const NetReport& net) { change.run.listeners = net.listeners; }

void apply(const Change& change, const Reported&, const DroppedReport& dropped) { change.run.reports_dropped += dropped.count; }

void apply(const Change& change, const Reported& reported, const ByeReport& bye) {
  if (change.run.bye && reported.partial) return;
  const auto at = change.run.bye ? change.run.bye->at_unix_us : change.event.at_unix_us;
  change.run.bye = ByeRecord{bye, at};
  cancel_stage_deadlines(change);
  cancel(change, "link");
  cancel(change, "console");
  arm(change, "exit", scaled(change.run, exit_after_bye));
}

/// A sign-in is a session's affair; that one failed in here is told of the machine too, until another to the same provider begins.
void apply(const Change& change, const Reported&, const SigninReport& signin) {
  auto& failures = change.run.signin_failures;
  const bool has_failed = signin.step == SigninReport::Step::failed && signin.cause && signin.cause->code != CauseCode::signin_cancelled;
  if (!has_failed) {
    failures.erase(signin.provider);
    return;
  }
  const auto found = failures.find(signin.provider);
  if (found == failures.end() && failures.size() >= max_signin_failures) {
    ++change.run.dropped_evidence;
    return;
  }
  TimedCause failure{change.event.at_unix_us, *signin.cause};
  failure.cause.evidence.insert(failure.cause.evidence.begin(), "sign-in to " + signin.provider + ", session " + signin.session.value());
  failures.insert_or_assign(signin.provider, std::move(failure));
}

void apply(const Change& change, const Reported&, const OtherReport& other) {
  const auto build = change.run.link ? upgraded_build(other) : std::nullopt;   // the link's hello was the former one's
  if (build) change.run.link->build_id = *build;
}

}  // namespace

void apply_report(const Change& change, const Reported& reported) {
  std::visit([&](const auto& body) { apply(change, reported, body); }, reported.report.body);
  note_ready(change);
}

void note_ready(const Change& change) {
  auto& run = change.run;
  if (run.ready_mono_us) return;
  const auto state = derive_from_guest(run);
  if (state != RunState::ready && state != RunState::degraded) return;
  run.ready_unix_us = change.event.at_unix_us;
  run.ready_mono_us = change.event.mono_us;
  stage_reached(change, Stage::ready, std::nullopt);
}

}  // namespace vigil::machine

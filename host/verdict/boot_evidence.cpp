#include "host/verdict/evidence.hpp"

namespace vigil::verdict {

using namespace protocol;

std::optional<Finding> failed_start(const Run& run) {
  if (!run.start_failed) return std::nullopt;
  return Finding{run.start_failed->cause, std::nullopt, run.start_failed->at_unix_us};
}

/// A stage fails with the cause of what it waited for: the service that gave that cause is its subject.
static std::optional<ServiceName> service_of(const Run& run, const Cause& cause) {
  for (const auto& [name, record] : run.services)
    if (record.report.cause && record.report.cause->text == cause.text && record.report.cause->fields == cause.fields) return name;
  return std::nullopt;
}

/// What is known of that service's end is evidence of the stage's cause too, where that came with less: a digest on the console has one line of it.
static void add_evidence_of_service(const Run& run, Finding& found) {
  if (!found.service) return;
  for (const auto& each : service_findings(run)) {
    const bool knows_more = each.cause.evidence.size() > found.cause.evidence.size();
    if (knows_more && each.service == found.service && each.cause.text == found.cause.text) found.cause.evidence = each.cause.evidence;
  }
}

std::optional<Finding> failed_stage(const Run& run) {
  for (const auto& stage : run.stages) {
    if (stage.progress != machine::StageProgress::failed || !stage.cause) continue;
    Finding found{*stage.cause, service_of(run, *stage.cause), stage.host_unix_us.value_or(0)};
    add_evidence_of_service(run, found);
    return found;
  }
  return std::nullopt;
}

std::optional<Finding> missed_stage(const Run& run, std::span<const std::string> console_tail) {
  if (!run.missed) return std::nullopt;
  const auto& missed = *run.missed;
  const std::string stage(to_text(missed.stage));
  auto cause = make_cause(CauseCode::boot_stage_stalled, {{"stage", stage}, {"waiting_for", missed.waiting_for}});
  if (missed.stage == Stage::vmm) cause = make_cause(CauseCode::vmm_start_failed, {{"reason", "its process was not up in time"}});
  if (missed.stage == Stage::kernel) cause = make_cause(CauseCode::boot_kernel_silent);
  add_evidence(cause, console_tail.last(std::min<std::size_t>(console_tail.size(), 8)));
  return Finding{cause, std::nullopt, missed.at_unix_us};
}

}  // namespace vigil::verdict

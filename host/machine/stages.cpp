#include "host/machine/stages.hpp"

#include <cstdlib>

namespace vigil::machine {

using protocol::Stage;

namespace {

std::optional<Stage> next_stage(Stage stage) {
  const auto next = static_cast<std::size_t>(stage) + 1;
  if (next >= std::size(protocol::all_stages)) return std::nullopt;
  return protocol::all_stages[next];
}

std::string unready_services(const Run& run) {
  std::string names;
  for (const auto& [name, record] : run.services) {
    if (record.report.state == protocol::ServiceState::ready || record.report.state == protocol::ServiceState::stopped) continue;
    names += (names.empty() ? "" : ", ") + name.value();
  }
  return names.empty() ? "the services" : names;
}

std::string waiting_for(const Run& run, Stage stage) {
  const auto& detail = stage_record(run, stage).detail;
  if (!detail.empty()) return detail;
  switch (stage) {
    case Stage::vmm: return "the VMM process";
    case Stage::kernel: return "the first output of the kernel";
    case Stage::initrd: return "the agent in the initramfs";
    case Stage::rootfs: return "the root file system";
    case Stage::agent: return "the agent on the root file system";
    case Stage::services:
    case Stage::ready: return unready_services(run);
  }
  std::abort();   // a value outside the enum: memory is corrupt
}

void stamp(StageRecord& record, const VmEvent& event, std::optional<MonoUs> guest_us) {
  if (guest_us && !record.guest_us) record.guest_us = guest_us;
  if (record.host_unix_us) return;
  record.host_unix_us = event.at_unix_us;
  record.host_mono_us = event.mono_us;
}

/// Later evidence stands for the stages before it; they get no times of their own.
void imply_before(const Change& change, Stage stage) {
  for (const auto before : protocol::all_stages) {
    if (before >= stage) return;
    stage_record(change.run, before).progress = StageProgress::done;
    cancel(change, stage_deadline_name(before));
  }
}

}  // namespace

StageRecord& stage_record(Run& run, Stage stage) { return run.stages[static_cast<std::size_t>(stage)]; }
const StageRecord& stage_record(const Run& run, Stage stage) { return run.stages[static_cast<std::size_t>(stage)]; }

std::string stage_deadline_name(Stage stage) { return "stage:" + std::string(to_text(stage)); }

void arm(const Change& change, const std::string& name, std::chrono::milliseconds after) {
  const auto due = change.event.mono_us + static_cast<MonoUs>(std::chrono::microseconds(after).count());
  change.state.deadlines[name] = due;
  change.effects.push_back(ArmDeadline{name, due});
}

void cancel(const Change& change, const std::string& name) {
  if (change.state.deadlines.erase(name) != 0) change.effects.push_back(CancelDeadline{name});
}

void cancel_stage_deadlines(const Change& change) {
  for (const auto stage : protocol::all_stages) cancel(change, stage_deadline_name(stage));
}

void cancel_all(const Change& change) {
  for (const auto& armed : change.state.deadlines) change.effects.push_back(CancelDeadline{armed.first});
  change.state.deadlines.clear();
}

std::chrono::milliseconds scaled(const Run& run, std::chrono::milliseconds after) {
  return after * protocol::deadline_scale(run.accelerator.value_or(protocol::Accelerator::tcg));
}

void arm_stage(const Change& change, Stage stage) {
  if (change.run.stop || change.run.bye) return;   // nobody waits for it any more
  const auto& overrides = change.state.spec.deadlines_ms;
  const auto name = stage_deadline_name(stage);
  if (const auto given = overrides.find(stage); given != overrides.end()) return arm(change, name, given->second);
  if (const auto after = protocol::stage_deadline(stage)) return arm(change, name, scaled(change.run, *after));
  // Twice what a service may take without saying otherwise: the agent names the service long before that, if it lives.
  if (stage == Stage::services) arm(change, name, scaled(change.run, 2 * protocol::service_ready_deadline));
}

void stage_begins(const Change& change, Stage stage, const std::string& detail) {
  auto& record = stage_record(change.run, stage);
  if (record.progress == StageProgress::done || record.progress == StageProgress::failed) return;
  imply_before(change, stage);
  record.progress = StageProgress::active;
  record.detail = detail;
  arm_stage(change, stage);
}

void stage_reached(const Change& change, Stage stage, std::optional<MonoUs> guest_us, const std::string& detail) {
  auto& record = stage_record(change.run, stage);
  const bool was_done = record.progress == StageProgress::done;
  imply_before(change, stage);
  record.progress = StageProgress::done;
  if (!detail.empty()) record.detail = detail;
  record.cause.reset();
  stamp(record, change.event, guest_us);
  if (change.run.missed && change.run.missed->stage <= stage) change.run.missed.reset();
  if (was_done) return;
  cancel(change, stage_deadline_name(stage));
  const auto next = next_stage(stage);
  if (next && stage_record(change.run, *next).progress != StageProgress::done) arm_stage(change, *next);
}

void stage_failed(const Change& change, Stage stage, MonoUs guest_us, const std::string& detail, const protocol::Cause& cause) {
  auto& record = stage_record(change.run, stage);
  // What other evidence implied is taken back; what the guest itself called done is not.
  if (record.progress == StageProgress::done && record.guest_us) return;
  imply_before(change, stage);
  record.progress = StageProgress::failed;
  record.detail = detail;
  record.cause = cause;
  stamp(record, change.event, guest_us);
  cancel_stage_deadlines(change);
}

void stage_deadline_passed(const Change& change, Stage stage) {
  const auto& record = stage_record(change.run, stage);
  if (record.progress == StageProgress::done || record.progress == StageProgress::failed) return;
  // A silent kernel is no evidence; only when the agent does not speak either, something is wrong.
  if (stage == Stage::kernel) return arm_stage(change, Stage::initrd);
  const bool no_kernel = stage == Stage::initrd && stage_record(change.run, Stage::kernel).progress != StageProgress::done;
  const auto missed = no_kernel ? Stage::kernel : stage;
  change.run.missed = MissedStage{missed, waiting_for(change.run, missed), change.event.at_unix_us};
}

void agent_spoke(const Change& change) {
  if (change.state.deadlines.contains(stage_deadline_name(Stage::services))) arm_stage(change, Stage::services);
  if (change.run.missed && change.run.missed->stage == Stage::services) {
    change.run.missed.reset();
    arm_stage(change, Stage::services);
  }
}

}  // namespace vigil::machine

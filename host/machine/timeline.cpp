#include "host/machine/timeline.hpp"

#include "host/machine/stages.hpp"

namespace vigil::machine {

using namespace protocol;

namespace {

std::optional<std::uint64_t> milliseconds_between(std::optional<MonoUs> from, std::optional<MonoUs> to) {
  if (!from || !to || *to < *from) return std::nullopt;
  return (*to - *from) / 1000;
}

std::vector<TimelineService> services_of(const Run& run) {
  std::vector<TimelineService> services;
  for (const auto& [name, record] : run.services)
    services.push_back({name, record.report.state, milliseconds_between(run.started_mono_us, record.first_ready_mono_us)});
  return services;
}

/// The first stage without evidence is the one that the VM is in, as long as it lives; the one that missed its deadline has failed.
void mark_current(const Run& run, std::vector<TimelineStage>& stages) {
  for (auto& stage : stages) {
    if (stage.progress == StageProgress::done) continue;
    if (run.missed && run.missed->stage == stage.stage) {
      stage.progress = StageProgress::failed;
      if (stage.detail.empty()) stage.detail = "waiting for " + run.missed->waiting_for;
    } else if (stage.progress == StageProgress::pending && !run.end) {
      stage.progress = StageProgress::active;
    } else if (stage.progress == StageProgress::active && run.end) {
      stage.progress = StageProgress::pending;
    }
    return;
  }
}

}  // namespace

std::vector<TimelineStage> timeline(const Run& run) {
  std::vector<TimelineStage> stages;
  std::optional<MonoUs> before = run.started_mono_us;
  for (const auto stage : all_stages) {
    const auto& record = stage_record(run, stage);
    TimelineStage line{.stage = stage,
                       .progress = record.progress,
                       .guest_us = record.guest_us,
                       .host_unix_us = record.host_unix_us,
                       .since_start_ms = milliseconds_between(run.started_mono_us, record.host_mono_us),
                       .took_ms = milliseconds_between(before, record.host_mono_us),
                       .detail = record.detail,
                       .services = {}};
    if (stage == Stage::services) line.services = services_of(run);
    if (record.host_mono_us) before = record.host_mono_us;
    stages.push_back(std::move(line));
  }
  mark_current(run, stages);
  return stages;
}

}  // namespace vigil::machine

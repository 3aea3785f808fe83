#include "host/verdict/summary.hpp"

#include "host/machine/derive.hpp"
#include "host/machine/timeline.hpp"

#include <cstdio>

namespace vigil::verdict {

using namespace protocol;

namespace {

std::string seconds_text(std::uint64_t milliseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(milliseconds) / 1000.0);
  return text;
}

std::string in_stage(const machine::Run& run) {
  for (const auto& stage : machine::timeline(run))
    if (stage.progress == machine::StageProgress::active)
      return "in stage " + std::string(to_text(stage.stage)) + (stage.detail.empty() ? "" : " (" + stage.detail + ")");
  return "";
}

std::string how_it_stopped(const machine::VmState& state) {
  const auto& run = *state.run;
  if (run.stop && run.stop->kill_sent && !run.bye) return "killed as asked by " + run.stop->request.actor;
  if (run.stop) return "as asked by " + run.stop->request.actor;
  if (run.bye) return "by the guest itself";
  return "";
}

std::string without_cause(const machine::VmState& state) {
  if (!state.run) return "never started";
  const auto& run = *state.run;
  if (run.end) return how_it_stopped(state);
  const auto ready = machine::ready_after_ms(state);
  if (ready) return std::to_string(run.services.size()) + " services, ready after " + seconds_text(*ready);
  return in_stage(run);
}

}  // namespace

std::string summarise(const machine::VmState& state, const Verdict& verdict) {
  const std::string name(to_text(verdict.state));
  if (verdict.main) {
    const auto whose = verdict.main->service ? verdict.main->service->value() + ": " : "";
    return name + ": " + whose + sentence(verdict.main->cause);
  }
  const auto rest = without_cause(state);
  return rest.empty() ? name : name + ": " + rest;
}

}  // namespace vigil::verdict

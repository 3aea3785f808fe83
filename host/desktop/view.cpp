#include "host/desktop/view.hpp"

#include "host/machine/derive.hpp"
#include "host/ports/judge.hpp"
#include "host/verdict/verdict.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace vigil::desktop {

using machine::Run;
using machine::StageProgress;
using protocol::RunState;
using protocol::ServiceState;

namespace {

constexpr std::string_view rfb_probe = "rfb:";

struct Screen {
  std::uint16_t port = 0;
  const machine::ServiceRecord* service = nullptr;
};

std::optional<Screen> screen_of(const Run& run) {
  for (const auto& [name, record] : run.services)
    for (const auto& probe : record.report.probes) {
      if (!probe.probe.starts_with(rfb_probe)) continue;
      std::uint16_t port = 0;
      const char* const begin = probe.probe.data() + rfb_probe.size();
      const auto [end, failure] = std::from_chars(begin, probe.probe.data() + probe.probe.size(), port);
      if (failure == std::errc() && end != begin && port != 0) return Screen{port, &record};
    }
  return std::nullopt;
}

/// What the console says of a service leaves its probes out; the whole report comes over the link, perhaps a moment later.
bool probes_are_known(const Run& run) {
  return run.all_services_known && std::ranges::none_of(run.services, [](const auto& each) { return each.second.partial; });
}

void add_stages(View& view, const Run& run) {
  for (const auto stage : protocol::all_stages) {
    const auto& record = run.stages[static_cast<std::size_t>(stage)];
    const bool under_way = view.stage.empty() && record.progress != StageProgress::done;
    if (under_way) view.stage = to_text(stage);
    const auto progress = under_way && record.progress == StageProgress::pending ? StageProgress::active : record.progress;
    view.stages.push_back({std::string(to_text(stage)), std::string(to_text(progress))});
  }
}

void add_unready(View& view, const Run& run, const std::optional<Screen>& screen, std::size_t limit) {
  for (const auto& [name, record] : run.services) {
    if (record.report.state == ServiceState::ready || view.unready.size() == limit) continue;
    if (screen && screen->service == &record) continue;
    view.unready.push_back({name.value(), std::string(to_text(record.report.state))});
  }
}

/// The verdict's cause in words, else `otherwise`.
std::string cause_of(const machine::VmState& state, const std::string& otherwise) {
  const auto verdict = verdict::classify(state);
  return verdict.main ? protocol::sentence(verdict.main->cause) : otherwise;
}

void tell_waiting(View& view, const std::string& what) {
  view.phase = Phase::waiting;
  view.command = "vigil timeline " + view.vm;
  const bool service_is_known = what.starts_with("the service ");
  if (view.run_ended)
    view.sentence = view.vm + " is being started again";
  else if (service_is_known)
    view.sentence = view.vm + " waits for " + what;
  else
    view.sentence = view.vm + " is booting" + (view.stage.empty() ? "" : ": stage " + view.stage);
}

void tell_refused(View& view, const machine::VmState& state, const ports::Refusal& refusal) {
  const bool stopped = !state.run || (view.run_ended && machine::derive(state) == RunState::stopped);
  view.phase = !state.run || view.run_ended ? Phase::over : Phase::broken;
  view.command = stopped ? "vigil start " + view.vm : "vigil why " + view.vm;
  if (!state.run)
    view.sentence = view.vm + " was never started";
  else if (view.phase == Phase::over)
    view.sentence = cause_of(state, view.vm + " is stopped");
  else
    view.sentence = refusal.detail;
}

void tell(View& view, const machine::VmState& state, const std::optional<Screen>& screen) {
  const bool runs = state.run && !view.run_ended && machine::derive(state) != RunState::crashed;
  if (runs && !screen && probes_are_known(*state.run)) {
    view.phase = Phase::absent;
    view.sentence = view.vm + " has no desktop: none of its services has an rfb probe";
    view.command = "vigil services " + view.vm;
    return;
  }
  // Port 0 is nobody's: until the services are known it stands for the screen that one of them may have.
  const auto judgement = ports::judge(state, {screen ? screen->port : std::uint16_t{0}, ""});
  if (const auto* const wait = std::get_if<ports::Wait>(&judgement)) return tell_waiting(view, wait->what);
  if (const auto* const refusal = std::get_if<ports::Refusal>(&judgement)) return tell_refused(view, state, *refusal);
  if (!screen) {
    view.command = "vigil services " + view.vm;
    view.sentence = "which of the services of " + view.vm + " is its screen is not known yet";
    return;
  }
  view.phase = Phase::attach;
  view.port = std::get<ports::Go>(judgement).port;
  view.sentence = view.unready.empty() ? view.vm + " is ready" : "the screen is there, not everything on it";
  view.command = view.unready.empty() ? "" : "vigil services " + view.vm;
}

nlohmann::json steps_json(const std::vector<View::Step>& steps) {
  auto list = nlohmann::json::array();
  for (const auto& each : steps) list.push_back({{"name", each.name}, {"state", each.progress}});
  return list;
}

}  // namespace

View view_of(const machine::VmState* state, std::size_t max_listed_services) {
  View view;
  if (state == nullptr || state->removed) {
    view.phase = Phase::removed;
    view.sentence = "this VM was removed";
    view.command = "vigil ps";
    return view;
  }
  view.vm = state->spec.name.value();
  view.state = to_text(machine::derive(*state));
  std::optional<Screen> screen;
  if (state->run) {
    view.run = state->run->number.value();
    view.run_ended = state->run->end.has_value() || state->run->start_failed.has_value();
    screen = screen_of(*state->run);
    add_stages(view, *state->run);
    if (!view.run_ended) add_unready(view, *state->run, screen, max_listed_services);
  }
  tell(view, *state, screen);
  return view;
}

nlohmann::json view_json(const View& view) {
  return {{"phase", to_text(view.phase)},       {"vm", view.vm},           {"state", view.state}, {"stage", view.stage},
          {"sentence", view.sentence},          {"command", view.command}, {"run", view.run},     {"stages", steps_json(view.stages)},
          {"unready", steps_json(view.unready)}};
}

std::optional<Closing> closing_of(const View& view, std::optional<std::uint32_t> attached_run) {
  const auto words = view.sentence + (view.command.empty() ? "" : "; type: " + view.command);
  if (view.phase == Phase::removed) return make_closing(CloseCode::no_such_vm, words);
  if (attached_run && view.run != *attached_run) return make_closing(CloseCode::vm_ended, "another run of " + view.vm + " has begun");
  if (view.phase == Phase::over || (attached_run && view.run_ended)) return make_closing(CloseCode::vm_ended, words);
  if (view.phase == Phase::absent) return make_closing(CloseCode::no_desktop, words);
  if (view.phase == Phase::attach) return std::nullopt;
  return make_closing(CloseCode::not_ready, words);
}

}  // namespace vigil::desktop

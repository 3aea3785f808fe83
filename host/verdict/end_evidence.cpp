#include "host/machine/derive.hpp"
#include "host/machine/reduce.hpp"
#include "host/verdict/evidence.hpp"
#include "shared/base/overloaded.hpp"

#include <algorithm>
#include <charconv>

namespace vigil::verdict {

using namespace protocol;
using machine::StageProgress;

namespace {

/// Its first line may be lost; a panic or an oops is a word of its too.
bool kernel_was_seen(const Run& run) {
  return run.stages[static_cast<std::size_t>(Stage::kernel)].progress == StageProgress::done || !run.findings.empty();
}

/// Firecracker's end with code 0.
constexpr std::string_view reset_of_unknown_kind = "reset-or-panic";

std::string vmm_words(const Run& run) {
  if (run.end->reason == reset_of_unknown_kind) return "the VMM cannot tell a reboot from a panic";
  if (run.end->reason.empty()) return run.vmm && run.vmm->vmm == "firecracker" ? "the VMM gives no reason" : "QMP gave no reason";
  return "QMP: " + run.end->reason;
}

std::string last_stage(const Run& run) {
  std::string name = "none";
  for (const auto stage : all_stages)
    if (run.stages[static_cast<std::size_t>(stage)].progress == StageProgress::done) name = to_text(stage);
  return name;
}

/// Its last words, printed on the console before it had the machine restarted.
bool agent_crashed(const Run& run) {
  return std::any_of(run.crashes.begin(), run.crashes.end(), [](const machine::CrashRecord& crash) {
    return crash.report.cause.code == CauseCode::guest_agent_crashed && !crash.report.origin;
  });
}

/// QEMU ends with code 0 when it is told to by a signal, and says by which: "terminating on signal 15 from pid 42 (kill)".
std::optional<Cause> told_by_signal(const Run& run) {
  if (run.end->reason != "host-signal") return std::nullopt;
  constexpr std::string_view words = "terminating on signal ";
  for (const auto& line : run.end->last_words) {
    const auto at = line.find(words);
    if (at == std::string::npos) continue;
    int signal = 0;
    const char* const number = line.data() + at + words.size();
    if (std::from_chars(number, line.data() + line.size(), signal).ec != std::errc()) continue;
    return make_cause(CauseCode::vmm_killed, {{"signal", signal_name(signal)}});
  }
  return std::nullopt;
}

/// Exit code 0 without a bye: the guest reset or powered off, and the kernel said nothing of a panic.
Cause unexplained_reset(const Run& run) {
  if (!kernel_was_seen(run)) return make_cause(CauseCode::boot_kernel_silent);
  for (const auto& crash : run.crashes)   // the agent's own last word, before it let the VM reboot
    if (crash.report.cause.code == CauseCode::guest_agent_crashed && !crash.report.origin) return crash.report.cause;
  if (run.end->reason == "guest-panic" || run.end->reason == "guest-panicked") {
    const std::map<std::string, CauseField> fields{{"text", "the panic device was rung, but the console holds no panic"}};
    return make_cause(run.ready_mono_us ? CauseCode::guest_panic : CauseCode::boot_panic, fields);
  }
  if (agent_crashed(run)) return make_cause(CauseCode::guest_agent_crashed);
  if (run.end->reason == "guest-shutdown") return make_cause(CauseCode::guest_poweroff_unasked);
  if (run.end->reason == "guest-reset") return make_cause(CauseCode::guest_reboot_unasked);
  if (auto told = told_by_signal(run)) return *told;
  return make_cause(CauseCode::unknown, {{"seen", "the VMM ended with code 0; no bye, no panic; " + vmm_words(run)}});
}

Cause cause_of_exit(const Run& run) {
  // The shim's word: the kernel killed in the VMM's cgroup because its memory was at the limit.
  if (run.end->reason == "host-oom" && std::holds_alternative<ExitSignal>(*run.end->exit)) return make_cause(CauseCode::vmm_host_oom);
  return std::visit(Overloaded{
                        [&](const ExitCode& exit) {
                          if (exit.code == 0) return unexplained_reset(run);
                          return make_cause(CauseCode::vmm_exited, {{"code", std::int64_t{exit.code}}});
                        },
                        [](const ExitSignal& exit) { return make_cause(CauseCode::vmm_killed, {{"signal", signal_name(exit.signal)}}); },
                        [](const ExitUnknown& exit) {
                          return make_cause(CauseCode::unknown, {{"seen", "the VMM is gone; how it ended is not known: " + exit.reason}});
                        },
                    },
                    *run.end->exit);
}

std::string seconds_text(std::chrono::milliseconds duration) { return std::to_string(duration.count() / 1000) + " s"; }

}  // namespace

std::optional<Finding> unasked_end(const Run& run, std::span<const std::string> console_tail) {
  if (!machine::ended_unasked(run)) return std::nullopt;
  auto cause = cause_of_exit(run);
  const std::string lines[] = {"the VMM ended with " + to_text(*run.end->exit) + "; " + vmm_words(run) + "; no bye from the guest",
                               "last stage reached: " + last_stage(run)};
  add_evidence(cause, lines);
  std::vector<std::string> said;
  for (const auto& line : run.end->last_words) said.push_back("VMM: " + line);
  add_evidence(cause, said);
  add_evidence(cause, console_tail.last(std::min<std::size_t>(console_tail.size(), 8)));
  return Finding{cause, std::nullopt, run.end->at_unix_us};
}

std::optional<Finding> own_end(const VmState& state) {
  const Run& run = *state.run;
  if (!run.end || !run.end->exit) return std::nullopt;
  const auto at = run.end->at_unix_us;
  if (state.unready_reboots >= machine::max_unready_reboots && run.bye && run.bye->report.kind == ByeReport::Kind::reboot && !run.stop)
    return Finding{make_cause(CauseCode::boot_reboot_loop, {{"count", std::int64_t{state.unready_reboots}}}), std::nullopt, at};
  const bool by_force = run.stop && run.stop->kill_sent && run.stop->request.kind != machine::StopKind::kill && !run.bye;
  if (by_force) {
    const std::string evidence[] = {"it was asked to stop by " + run.stop->request.actor + ", did not within " + seconds_text(run.stop->request.grace) +
                                    ", and was killed"};
    auto cause = make_cause(CauseCode::vmm_killed, {{"signal", "SIGKILL"}});
    add_evidence(cause, evidence);
    return Finding{cause, std::nullopt, at};
  }
  if (!run.bye || run.stop || run.bye->report.host_asked) return std::nullopt;
  const bool reboots = run.bye->report.kind == ByeReport::Kind::reboot;
  auto cause = make_cause(reboots ? CauseCode::guest_reboot_unasked : CauseCode::guest_poweroff_unasked);
  const std::string evidence[] = {"asked by " + run.bye->report.asked_by};
  if (!run.bye->report.asked_by.empty()) add_evidence(cause, evidence);
  return Finding{cause, std::nullopt, run.bye->at_unix_us};
}

std::optional<Finding> stopped_by_policy(const VmState& state) {
  const Run& run = *state.run;
  if (!run.end || !run.stop) return std::nullopt;
  for (const auto& [rule, decided] : state.decided) {
    if (decided.verdict != "acts" || run.stop->request.actor != rule + " policy") continue;
    auto cause = make_cause(rule == "idle" ? CauseCode::policy_idle : CauseCode::policy_lease_expired);
    const std::string evidence[] = {decided.why};
    add_evidence(cause, evidence);
    return Finding{cause, std::nullopt, run.end->at_unix_us};
  }
  return std::nullopt;
}

std::optional<Finding> given_up(const VmState& state) {
  const auto ended = machine::exhausted_restarts(state);
  if (!ended) return std::nullopt;
  auto cause = make_cause(CauseCode::policy_restarts_exhausted, {{"count", std::int64_t{ended->count}}});
  const std::string evidence[] = {"runs " + std::to_string(ended->first_run.value()) + " to " + std::to_string(state.run->number.value()) +
                                  " ended without having been ready; restart is " + std::string(to_text(state.spec.restart))};
  add_evidence(cause, evidence);
  return Finding{cause, std::nullopt, state.run->end->at_unix_us};
}

}  // namespace vigil::verdict

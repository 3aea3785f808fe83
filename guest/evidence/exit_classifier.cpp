#include "guest/evidence/exit_classifier.hpp"

#include "guest/evidence/output_patterns.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace vigil::guest::evidence {
namespace {

using protocol::Cause;
using protocol::CauseCode;
using protocol::make_cause;

constexpr std::size_t evidence_lines = 8;

/// The lines to show: the telling one first, then the last of stderr, or of stdout where stderr is silent.
std::vector<std::string> evidence_of(const ExitFacts& facts, const std::string& telling) {
  std::vector<std::string> lines = last_lines(facts.stderr_tail, evidence_lines);
  if (lines.empty()) lines = last_lines(facts.stdout_tail, evidence_lines);
  if (telling.empty()) return lines;
  std::erase(lines, telling);
  lines.insert(lines.begin(), telling);
  return lines;
}

Cause oom_killed(const ExitFacts& facts, const protocol::OomEvidence& oom) {
  return make_cause(CauseCode::service_oom_killed,
                    {{"limit", static_cast<std::int64_t>(oom.limit_bytes)}, {"peak", static_cast<std::int64_t>(oom.peak_bytes)}, {"victim", oom.victim}},
                    evidence_of(facts, {}));
}

Cause port_taken(const ExitFacts& facts, const TakenPort& taken, const std::string& line) {
  return make_cause(CauseCode::service_port_taken,
                    {{"port", std::int64_t{taken.port}}, {"holder", taken.holder.empty() ? "a process that has gone" : taken.holder}},
                    evidence_of(facts, line));
}

std::optional<Cause> from_output(const ExitFacts& facts, const OutputFinding& finding) {
  const auto cause = [&](const char* field) { return make_cause(finding.code, {{field, finding.subject}}, evidence_of(facts, finding.line)); };
  if (finding.code == CauseCode::service_missing_library) return cause("library");
  if (finding.code == CauseCode::service_missing_module) return cause("module");
  const bool of_a_program = finding.code == CauseCode::service_missing_binary || finding.code == CauseCode::service_not_executable;
  if (of_a_program) {
    const int shells_code = finding.code == CauseCode::service_missing_binary ? 127 : 126;
    const auto* code = std::get_if<protocol::ExitCode>(&facts.status);
    if (code == nullptr || code->code != shells_code) return std::nullopt;   // a script that went on after a command failed
    return cause("path");
  }
  const bool of_a_lock = finding.code == CauseCode::service_lock_stale || finding.code == CauseCode::service_port_taken;
  if (of_a_lock && facts.stale_lock)
    return make_cause(CauseCode::service_lock_stale, {{"path", *facts.stale_lock}}, evidence_of(facts, finding.line));
  if (finding.code == CauseCode::service_port_taken) {
    if (facts.taken_port) return port_taken(facts, *facts.taken_port, finding.line);
    return std::nullopt;   // it does not say which, and no probe tells: the bare status, with that line as evidence
  }
  if (finding.code == CauseCode::service_fd_exhausted) return make_cause(finding.code, {}, evidence_of(facts, finding.line));
  return std::nullopt;
}

std::optional<Cause> from_program(const ExitFacts& facts) {
  std::optional<OutputFinding> finding = find_in_output(facts.stderr_tail);
  if (!finding) finding = find_in_output(facts.stdout_tail);
  if (finding)
    if (auto cause = from_output(facts, *finding)) return cause;
  if (facts.taken_port && facts.stage == LifeStage::before_ready) return port_taken(facts, *facts.taken_port, {});
  return std::nullopt;
}

Cause from_code(const ExitFacts& facts, int code) {
  if (code == 0 && facts.left_behind)
    return make_cause(CauseCode::service_daemonised, {{"pid", std::int64_t{*facts.left_behind}}}, evidence_of(facts, {}));
  if (code == 0 && facts.stage == LifeStage::before_ready) return make_cause(CauseCode::service_exited_early, {}, evidence_of(facts, {}));
  return make_cause(CauseCode::service_exited, {{"code", std::int64_t{code}}}, evidence_of(facts, {}));
}

}  // namespace

bool is_success(const protocol::ExitStatus& status) {
  const auto* code = std::get_if<protocol::ExitCode>(&status);
  return code != nullptr && code->code == 0;
}

Cause classify_exit(const ExitFacts& facts) {
  if (facts.oom) return oom_killed(facts, *facts.oom);
  if (facts.refused_forks && !is_success(facts.status))
    return make_cause(CauseCode::guest_fork_bomb, {{"service", *facts.refused_forks}}, evidence_of(facts, {}));
  if (facts.guest_oom_victim) return make_cause(CauseCode::guest_oom, {{"victim", *facts.guest_oom_victim}}, evidence_of(facts, {}));

  const auto* signal = std::get_if<protocol::ExitSignal>(&facts.status);
  const bool gave_up_itself = signal == nullptr || signal->signal == SIGABRT;   // abort() is how many runtimes end on an error they named
  if (gave_up_itself && !is_success(facts.status))
    if (auto cause = from_program(facts)) return *std::move(cause);

  if (signal != nullptr)
    return make_cause(CauseCode::service_signalled, {{"signal", protocol::signal_name(signal->signal)}}, evidence_of(facts, {}));
  if (const auto* code = std::get_if<protocol::ExitCode>(&facts.status)) return from_code(facts, code->code);
  return make_cause(CauseCode::unknown, {{"seen", protocol::to_text(facts.status)}}, evidence_of(facts, {}));
}

}  // namespace vigil::guest::evidence

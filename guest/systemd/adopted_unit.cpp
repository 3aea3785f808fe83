#include "guest/systemd/adopted_unit.hpp"

#include "guest/evidence/exit_classifier.hpp"
#include "guest/evidence/output_patterns.hpp"
#include "guest/evidence/program_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vigil::guest::systemd {
namespace {

using protocol::CauseCode;
using protocol::ServiceState;
using std::chrono::milliseconds;

constexpr milliseconds calm_after{10'000};
constexpr milliseconds settles_after{300};          // from "failed" to "auto-restart" systemd needs a turn of its loop
constexpr std::uint32_t most_words_at_once = 2;     // a unit that dies ten times a second need not be asked each time
constexpr std::size_t most_cores = 64, evidence_lines = 6;
constexpr int exec_failed = 203;

/// systemd's own limit has the first word: more ends than it allows, and it is no limit.
service_spec::RestartSpec loop_limits(const UnitFacts& facts, int scale) {
  service_spec::RestartSpec spec;
  spec.when = service_spec::RestartWhen::always;
  const bool is_limited = facts.start_limit_interval_us > 0 && facts.start_limit_burst > 0;
  if (is_limited) spec.loop_exits = std::max(spec.loop_exits, std::min(facts.start_limit_burst, 100U) + 1);
  spec.loop_window *= scale;
  return spec;
}

int errno_of(const std::string& program) {
  if (::access(program.c_str(), F_OK) != 0) return errno;
  return ::access(program.c_str(), X_OK) != 0 ? EACCES : ENOEXEC;
}

protocol::Cause cause_of_end(const UnitFacts& facts, const protocol::ExitStatus& status, const std::string& words) {
  const auto* code = std::get_if<protocol::ExitCode>(&status);
  if (code != nullptr && code->code == exec_failed && facts.program.starts_with('/'))
    return evidence::explain_exec_failure(facts.program, errno_of(facts.program));
  evidence::ExitFacts exit;
  exit.status = status;
  exit.stdout_tail = words;
  return evidence::classify_exit(exit);
}

}  // namespace

AdoptedUnit::AdoptedUnit(std::string unit, Kind kind, bool essential, UnitContext& context)
    : unit_(std::move(unit)), kind_(kind), essential_(essential), context_(context), policy_(service_spec::RestartSpec{}) {}

void AdoptedUnit::wishes_for(std::variant<ProbeWishes, protocol::Cause> wishes) {
  wrong_wish_.reset();   // its file may have been mended
  if (auto* const cause = std::get_if<protocol::Cause>(&wishes)) {
    wrong_wish_ = std::move(*cause);
    probes_.reset();
    return;
  }
  auto& wanted = std::get<ProbeWishes>(wishes);
  if (wanted.probes.empty()) return probes_.reset();
  if (probes_ && probes_->written() == wanted.written) return;   // what it has found of this run holds
  probes_ =
      std::make_unique<UnitProbes>(std::move(wanted), ServiceName(service_name_of(unit_)), context_.tools, [this] { submit_if_new(); });
}

void AdoptedUnit::changed(bool ends_are_news) {
  if (!std::exchange(policy_is_set_, true)) policy_ = supervisor::RestartPolicy(loop_limits(facts_, context_.scale));
  if (facts_.active_state == "deactivating" && facts_.job != 0) stop_asked_ = true;
  if (facts_.active_state == "activating" || facts_.active_state == "active") stop_asked_ = is_settled_ = limit_reached_ = false;
  if (restarts_by_itself(facts_)) pid_between_runs_ = facts_.exec_pid;
  if (is_waiting()) {
    if (waits_since_us_ == 0) waits_since_us_ = context_.loop.now_us();
  } else {
    waits_since_us_ = 0;
    waits_for_.clear();
    block_cause_.reset();
  }
  if (facts_.job != 0 || facts_.active_state == "active") start_cause_.reset();
  look_for_end(ends_are_news);
  if (probes_) probes_->follow(facts_);
  if (!is_between_runs())
    settling_.cancel();
  else if (!settling_)
    settling_ = context_.loop.after(settles_after * context_.scale, [this] {
      settling_.cancel();
      is_settled_ = true;
      submit_if_new();
    });
  submit_if_new();
}

bool AdoptedUnit::is_between_runs() const {
  if (is_settled_ || stop_asked_ || facts_.job != 0 || facts_.restart.empty() || facts_.restart == "no") return false;
  const bool restarts_success = facts_.restart == "always" || facts_.restart == "on-success";
  return is_failed(facts_) || (facts_.active_state == "inactive" && restarts_success && has_ended());
}

bool AdoptedUnit::has_reached_limit() const {
  return limit_reached_ || facts_.result == "start-limit-hit" || (ended_before_us_ && reached_start_limit(facts_));
}

void AdoptedUnit::start_failed() {
  is_settled_ = true;
  // It was due to start again, and no process came of it.
  limit_reached_ = is_failed(facts_) && facts_.exec_pid != 0 && facts_.exec_pid == pid_between_runs_;
  submit_if_new();
}

void AdoptedUnit::look_for_end(bool is_news) {
  const std::pair end{facts_.exec_pid, facts_.exec_ended_us};
  if (!has_ended() || end == end_seen_) return;
  end_seen_ = end;
  const bool is_finished = evidence::is_success(exit_of(facts_)) && !is_failed(facts_) && !restarts_by_itself(facts_) && !is_between_runs();
  ended_before_us_ = !is_news;
  if (is_news && !stop_asked_ && !is_finished) ended();
}

void AdoptedUnit::ended() {
  protocol::CrashReport crash;
  crash.crash = service_name_of(unit_) + "-" + std::to_string(++crashes_);
  crash.service = service_name_of(unit_);
  crash.process = facts_.program.substr(facts_.program.rfind('/') + 1);
  crash.pid = facts_.exec_pid;
  crash.exit = exit_of(facts_);
  crash.started_us = facts_.exec_started_us;
  crash.ended_us = facts_.exec_ended_us;
  crash.restarts = facts_.restarts;
  crash.will_restart = restarts_by_itself(facts_) || is_between_runs();
  crash.cause = cause_of_end(facts_, crash.exit, {});
  last_end_ = crash.cause;
  last_lines_.clear();
  const auto verdict = policy_.judge({supervisor::Death::Kind::failure, facts_.exec_ended_us, 0, crash.cause});
  if (verdict.kind == supervisor::RestartVerdict::Kind::give_up && crash.will_restart) loop_cause_ = verdict.cause;
  calm_ = context_.loop.after(calm_after * context_.scale, [this] {
    loop_cause_.reset();
    submit_if_new();
  });
  if (cores_told_.contains(facts_.exec_pid)) return;
  if (words_asked_ >= most_words_at_once) return tell(std::move(crash), {});
  ++words_asked_;
  const std::weak_ptr<bool> alive = alive_;
  context_.words.ask(unit_, facts_.invocation, [this, alive, crash = std::move(crash)](const std::string& words) mutable {
    if (alive.expired()) return;
    --words_asked_;
    tell(std::move(crash), words);
  });
}

void AdoptedUnit::tell(protocol::CrashReport crash, const std::string& words) {
  constexpr std::size_t most_bytes = 64 * 1024;
  crash.stdout_tail = words.size() > most_bytes ? words.substr(words.size() - most_bytes) : words;
  if (!words.empty()) {
    crash.cause = cause_of_end(facts_, crash.exit, words);
    last_lines_ = evidence::last_lines(words, evidence_lines);
    if (end_seen_ == std::pair{static_cast<pid_t>(crash.pid), crash.ended_us}) last_end_ = crash.cause;
  }
  context_.sink.submit(std::move(crash));
  submit_if_new();
  context_.changed();
}

void AdoptedUnit::dumped_core(const process::ProcessEnd& end) {
  if (cores_told_.size() >= most_cores) cores_told_.clear();
  cores_told_.insert(end.pid);
  protocol::CrashReport crash;
  crash.crash = service_name_of(unit_) + "-" + std::to_string(++crashes_);
  crash.service = service_name_of(unit_);
  crash.process = end.comm;
  crash.pid = end.pid;
  crash.exit = end.status;
  crash.cause = cause_of_end(facts_, end.status, {});
  crash.started_us = facts_.main_pid == end.pid ? facts_.exec_started_us : 0;
  crash.ended_us = end.ended_us;
  crash.restarts = facts_.restarts;
  context_.sink.submit(std::move(crash));
}

void AdoptedUnit::could_not_start(protocol::Cause cause) {
  if (facts_.active_state == "active" || is_failed(facts_)) return;   // its own end tells more
  start_cause_ = std::move(cause);
  submit_if_new();
}

void AdoptedUnit::blocked(std::vector<std::string> waits_for, std::optional<protocol::Cause> cause) {
  if (!is_waiting()) return;
  waits_for_ = std::move(waits_for);
  block_cause_ = std::move(cause);
  submit_if_new();
}

void AdoptedUnit::overruled(std::optional<protocol::Cause> cause) {
  overruling_ = std::move(cause);
  submit_if_new();
}

bool AdoptedUnit::works() const {
  const auto now = report();
  return now.state == ServiceState::ready || (now.state == ServiceState::stopped && !now.cause);
}

std::vector<std::string> AdoptedUnit::evidence() const {
  // A digest on the console carries the first line alone: it holds the last word, too.
  constexpr std::size_t most_of_a_word = 160;
  const std::string last = last_lines_.empty() ? "" : "; its last line: " + last_lines_.back().substr(0, most_of_a_word);
  std::vector<std::string> lines{unit_ + ": " + describe_end(facts_) + last};
  lines.insert(lines.end(), last_lines_.begin(), last_lines_.end());
  return lines;
}

protocol::ServiceReport AdoptedUnit::report() const {
  protocol::ServiceReport report;
  report.name = ServiceName(service_name_of(unit_));
  report.essential = essential_;
  report.pid = facts_.main_pid;
  report.restarts = facts_.restarts;
  report.since_us = facts_.state_changed_us;
  report.state = state_of(facts_);
  const bool is_broken = facts_.load_state != "loaded" && !facts_.load_state.empty();
  if (stop_asked_) {
    if (report.state != ServiceState::stopping) report.state = facts_.job != 0 ? ServiceState::stopping : ServiceState::stopped;
  } else if (is_between_runs() && !loop_cause_) {
    report.state = ServiceState::backoff;
    report.cause = last_end_;
  } else if (is_failed(facts_) && facts_.job == 0 && !is_between_runs()) {
    report.cause =
        protocol::make_cause(has_reached_limit() ? CauseCode::unit_start_limit : CauseCode::unit_failed, {{"unit", unit_}}, evidence());
  } else if (is_broken) {
    report.state = ServiceState::failed;
    report.cause =
        protocol::make_cause(CauseCode::unit_failed, {{"unit", unit_}}, {unit_ + ": its unit file is not usable: " + facts_.load_state});
  } else if (start_cause_ || overruling_ || loop_cause_) {
    report.state = ServiceState::failed;
    report.cause = overruling_ ? overruling_ : start_cause_ ? start_cause_ : loop_cause_;
  } else if (is_waiting() && (block_cause_ || report.state == ServiceState::waiting)) {
    report.waits_for = waits_for_;
    report.cause = block_cause_;
  } else if (report.state == ServiceState::backoff) {
    report.cause = last_end_;
  } else if (wrong_wish_) {
    report.state = ServiceState::failed;
    report.cause = wrong_wish_;
  } else if (probes_) {
    add_probes_to(report);
  }
  return report;
}

/// systemd calls it active; whether it can be used is for its probes to say.
void AdoptedUnit::add_probes_to(protocol::ServiceReport& report) const {
  report.probes = probes_->results();
  if (report.state != ServiceState::ready || probes_->passed()) return;
  report.state = probes_->is_overdue() ? ServiceState::failed : ServiceState::starting;
  report.cause = probes_->cause();
}

void AdoptedUnit::submit_if_new() {
  auto now = report();
  if (told_) {
    auto as_before = now;
    as_before.since_us = told_->since_us;
    if (as_before == *told_) return;
  }
  told_ = now;
  context_.sink.submit(std::move(now));
  context_.changed();
}

}  // namespace vigil::guest::systemd

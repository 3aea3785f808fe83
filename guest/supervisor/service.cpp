#include "guest/supervisor/service.hpp"

#include "guest/log/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace vigil::guest::supervisor {
namespace {

using protocol::CauseCode;
using protocol::ServiceState;
using std::chrono::milliseconds;

constexpr std::uint32_t most_checks_for_leftovers = 9;   // 1 + 2 + ... + 256 ms

service_spec::RestartSpec scaled(service_spec::RestartSpec spec, int scale) {
  spec.loop_window *= scale;   // what dies slowly under emulation loops no less
  return spec;
}

process::Cgroup make_cgroup(const service_spec::ServiceSpec& spec, const SupervisorOptions& options) {
  if (options.cgroup_root.empty()) return {};
  auto cgroup = process::Cgroup::make(options.cgroup_root, spec.name.value(),
                                      {spec.limits.memory_bytes, spec.limits.pids, spec.limits.cpu_percent});
  if (cgroup) return *std::move(cgroup);
  log::warning("cgroup.not_made", {{"svc", spec.name.value()}, {"err", cgroup.error().message()}});
  return {};
}

}  // namespace

Service::Service(service_spec::ServiceSpec spec, ServiceContext& context)
    : spec_(std::move(spec)), context_(context), loop_(context.tools.loop), cgroup_(make_cgroup(spec_, context.options)), preparation_(spec_, context.options),
      policy_(scaled(spec_.restart, context.options.deadline_scale)), since_us_(loop_.now_us()) {}

void Service::consider(const StartVerdict& verdict) {
  if (state_ == ServiceState::failed) {
    if (verdict.failed_dependency) return;
    cause_.reset();
    apply(ServiceEvent::start_asked);
  }
  if (verdict.failed_dependency) {
    waits_for_.clear();
    cause_ = protocol::make_cause(CauseCode::service_dependency_failed, {{"dependency", verdict.failed_dependency->value()}});
    apply(ServiceEvent::dependency_failed);
    return;
  }
  const bool changed = !std::exchange(announced_, true) || verdict.waits_for != waits_for_;
  waits_for_ = verdict.waits_for;
  if (waits_for_.empty())
    apply(ServiceEvent::may_start);
  else if (changed)
    submit();
}

void Service::ask_start() {
  if (state_ == ServiceState::stopping) {
    start_after_stop_ = true;
    return;
  }
  if (state_ == ServiceState::failed && has_process()) return ask_restart();
  if (state_ != ServiceState::stopped && state_ != ServiceState::failed && state_ != ServiceState::backoff) return;   // it is on its way
  policy_.forget();
  timer_.cancel();
  finished_ = false;
  cause_.reset();
  apply(ServiceEvent::start_asked);
}

void Service::ask_stop(milliseconds grace_limit) {
  start_after_stop_ = false;
  grace_ = std::min(spec_.stop.grace * context_.options.deadline_scale, grace_limit);
  if (!has_process()) timer_.cancel();
  finished_ = false;
  apply(has_process() ? ServiceEvent::stop_asked : ServiceEvent::stop_asked_idle);
}

void Service::ask_restart() {
  if (!has_process()) return ask_start();
  ask_stop(milliseconds::max());
  policy_.forget();
  start_after_stop_ = true;
}

void Service::follow_restart(const ServiceName& other) {
  if (state_ == ServiceState::waiting || state_ == ServiceState::stopping || state_ == ServiceState::stopped || state_ == ServiceState::failed) return;
  log::info("service.restarts_with", {{"svc", spec_.name.value()}, {"other", other.value()}});
  ask_restart();
}

Result<void> Service::send_signal(int number) {
  if (!has_process())
    return Error(Errc::conflict, spec_.name.value() + " has no process now; its state is " + std::string(to_text(state_)));
  run_->signal(number);
  return {};
}

Result<void> Service::reload() {
  if (spec_.reload_signal) return send_signal(*spec_.reload_signal);
  return Error(Errc::unsupported, spec_.name.value() + " cannot be reloaded: its service file has no \"reload\":{\"signal\":\"SIGHUP\"}; restart it instead");
}

void Service::kill_now() {
  if (run_) run_->kill_all();
}

Standing Service::standing() const {
  switch (state_) {
    case ServiceState::waiting:
    case ServiceState::starting:
    case ServiceState::backoff: return Standing::pending;
    case ServiceState::ready: return Standing::ready;
    case ServiceState::unready: return Standing::unready;
    case ServiceState::stopping: return start_after_stop_ ? Standing::pending : Standing::stopped;
    case ServiceState::stopped: return finished_ ? Standing::finished : Standing::stopped;
    case ServiceState::failed: return Standing::failed;
  }
  std::abort();
}

bool Service::is_considered() const {
  return state_ == ServiceState::waiting || (state_ == ServiceState::failed && cause_ && cause_->code == CauseCode::service_dependency_failed);
}

std::optional<ServiceOutput> Service::output() const {
  if (!run_) return std::nullopt;
  const auto &out = run_->stdout_tail(), &err = run_->stderr_tail();
  return ServiceOutput{out.text(), err.text(), out.lost(), err.lost()};
}

protocol::ServiceReport Service::report() const {
  protocol::ServiceReport report;
  report.name = spec_.name;
  report.state = state_;
  report.essential = spec_.essential;
  report.pid = pid();
  report.restarts = restarts_;
  report.since_us = since_us_;
  report.probes = run_ ? run_->probe_results() : last_probes_;
  if (state_ == ServiceState::waiting) report.waits_for = waits_for_;
  report.cause = cause_;
  return report;
}

bool Service::apply(ServiceEvent event) {
  const auto transition = next_transition(state_, event);
  if (!transition) return false;
  state_ = transition->next;
  since_us_ = loop_.now_us();
  switch (transition->action) {
    case MachineAction::none: submit(); break;
    case MachineAction::launch: launch_when_alone(); break;   // reports when there is a pid to tell
    case MachineAction::arm_backoff:
      submit();
      arm_backoff();
      break;
    case MachineAction::stop_process:
      submit();
      stop_process();
      break;
  }
  return true;
}

void Service::arm_backoff() { timer_ = loop_.after(backoff_, [this] { apply(ServiceEvent::backoff_over); }); }

void Service::submit() {
  tell_crash();
  context_.sink.submit(report());
  context_.changed();
}

void Service::tell_crash() {
  if (untold_crash_) context_.sink.submit(*std::exchange(untold_crash_, std::nullopt));
}

void Service::launch_when_alone() {
  if (state_ != ServiceState::starting) return;
  if (checks_for_leftovers_ < most_checks_for_leftovers && !is_alone()) {
    if (checks_for_leftovers_ == 0) submit();
    timer_ = loop_.after(milliseconds(1 << checks_for_leftovers_), [this] { launch_when_alone(); });
    ++checks_for_leftovers_;
    return;
  }
  if (cgroup_.is_spent()) {
    if (const auto moved = cgroup_.renew_elsewhere(); !moved) log::warning("cgroup.not_renewed", {{"svc", spec_.name.value()}, {"err", moved.error().message()}});
  }
  leftovers_.reset();
  launch();
}

// Processes that the last run left behind were killed, but may still hold its port, and its cgroup, for a moment.
bool Service::is_alone() {
  if (leftovers_ && !leftovers_->members().empty()) return false;
  return !cgroup_.is_spent() || cgroup_.renew();
}

void Service::launch() {
  ready_since_us_ = 0;
  cause_.reset();
  ended_by_us_.reset();
  run_ = std::make_unique<ServiceRun>(spec_, cgroup_, preparation_, context_, run_events());
  if (auto problem = run_->launch()) {
    run_.reset();
    return launch_failed(*std::move(problem));
  }
  submit();
  if (std::exchange(launched_before_, true) && context_.started_anew) context_.started_anew(spec_.name);
  if (run_->probes_passed()) on_probes_changed();   // without probes running is ready
}

RunEvents Service::run_events() {
  return {[this] { on_probes_changed(); }, [this] { on_deadline(); }, [this](Health health) { on_health(health); }, [this](RunEnd end) { on_end(std::move(end)); }};
}

void Service::launch_failed(LaunchProblem problem) {
  RunEnd end;
  end.kind = problem.hopeless ? Death::Kind::hopeless : Death::Kind::failure;
  end.crash.service = spec_.name.value();
  end.crash.process = spec_.exec.front();
  end.crash.exit = protocol::ExitUnknown{"it was not started"};
  end.crash.started_us = end.crash.ended_us = loop_.now_us();
  end.crash.cause = std::move(problem.cause);
  judge_end(std::move(end));
}

void Service::on_probes_changed() {
  if (!run_ || state_ == ServiceState::stopping || state_ == ServiceState::ready || state_ == ServiceState::unready) return;
  if (run_->probes_passed()) {
    cause_.reset();
    ready_since_us_ = loop_.now_us();
    run_->became_ready();
    apply(ServiceEvent::became_ready);
    return;
  }
  if (state_ != ServiceState::starting) return;
  cause_ = run_->finding();
  submit();
}

void Service::on_deadline() {
  cause_ = run_->timeout_cause();
  apply(ServiceEvent::deadline_passed);
}

void Service::on_health(Health health) {
  if (state_ != ServiceState::ready && state_ != ServiceState::unready) return;   // it is being stopped: its health is no news
  if (health == Health::healthy)
    cause_.reset();
  else
    cause_ = run_->health_cause();
  apply(health == Health::healthy ? ServiceEvent::became_healthy : ServiceEvent::became_unhealthy);
  if (health == Health::healthy || !spec_.health->restart || state_ != ServiceState::unready) return;
  ended_by_us_ = cause_;
  grace_ = spec_.stop.grace * context_.options.deadline_scale;
  run_->stop_watching_health();
  end_process();
}

void Service::on_end(RunEnd end) {
  last_probes_ = run_->probe_results();
  if (end.left_others) leftovers_ = run_->group();
  checks_for_leftovers_ = 0;
  const std::unique_ptr<ServiceRun> ended = std::move(run_);   // to close its descriptors can wait until its replacement runs
  ended->retire();
  timer_.cancel();
  judge_end(std::move(end));
}

void Service::judge_end(RunEnd end) {
  if (state_ == ServiceState::stopping) {
    apply(ServiceEvent::ended_finished);
    if (std::exchange(start_after_stop_, false)) ask_start();
    return;
  }
  if (ended_by_us_) {
    end.kind = Death::Kind::failure;   // however it took it
    end.crash.cause = *std::exchange(ended_by_us_, std::nullopt);
  }
  const MonoUs ready_for_us = ready_since_us_ == 0 ? 0 : end.crash.ended_us - std::min(ready_since_us_, end.crash.ended_us);
  RestartVerdict verdict = policy_.judge({end.kind, end.crash.ended_us, ready_for_us, end.crash.cause});
  const bool failed_before = state_ == ServiceState::failed;   // for its deadline
  const bool restarts = !failed_before && (verdict.kind == RestartVerdict::Kind::restart_now || verdict.kind == RestartVerdict::Kind::restart_later);
  if (verdict.kind != RestartVerdict::Kind::finished) {
    end.crash.crash = spec_.name.value() + "-" + std::to_string(++crashes_);
    end.crash.restarts = restarts_;
    end.crash.will_restart = restarts;
    tell_crash();   // of a launch that failed at once: the one before it
    untold_crash_ = std::move(end.crash);
  }
  if (failed_before) return submit();
  if (restarts) ++restarts_;
  cause_ = std::move(verdict.cause);
  backoff_ = verdict.delay;
  switch (verdict.kind) {
    case RestartVerdict::Kind::finished:
      finished_ = true;
      cause_.reset();
      apply(ServiceEvent::ended_finished);
      break;
    case RestartVerdict::Kind::give_up: apply(ServiceEvent::ended_for_good); break;
    case RestartVerdict::Kind::restart_now: apply(ServiceEvent::ended_for_restart_now); break;
    case RestartVerdict::Kind::restart_later: apply(ServiceEvent::ended_for_restart); break;
  }
  tell_crash();
}

void Service::stop_process() {
  cause_.reset();
  end_process();
}

void Service::end_process() {
  run_->signal(spec_.stop.signal);
  arm_kill();
}

void Service::arm_kill() {
  timer_ = loop_.after(std::max(grace_, milliseconds(0)), [this] {
    if (!run_) return;
    if (state_ == ServiceState::stopping) cause_ = protocol::make_cause(CauseCode::service_stop_timeout);
    run_->kill_all();
  });
}

KeptService Service::keep() const {
  KeptService kept;
  kept.name = spec_.name.value();
  kept.state = state_;
  kept.since_us = since_us_;
  kept.ready_since_us = ready_since_us_;
  kept.cause = cause_;
  kept.ended_by_us = ended_by_us_;
  kept.waits_for = waits_for_;
  kept.last_probes = last_probes_;
  kept.restarts = restarts_;
  kept.crashes = crashes_;
  kept.finished = finished_;
  kept.start_after_stop = start_after_stop_;
  kept.launched_before = launched_before_;
  kept.announced = announced_;
  kept.backoff = backoff_;
  kept.grace = grace_;
  kept.policy = policy_.keep();
  kept.cgroup = cgroup_.keep();
  if (run_) kept.run = run_->keep();
  return kept;
}

/// What a timer was armed for follows from the state; it has its whole time again.
void Service::resume(const KeptService& kept) {
  state_ = kept.state;
  since_us_ = kept.since_us;
  ready_since_us_ = kept.ready_since_us;
  cause_ = kept.cause;
  ended_by_us_ = kept.ended_by_us;
  waits_for_ = kept.waits_for;
  last_probes_ = kept.last_probes;
  restarts_ = kept.restarts;
  crashes_ = kept.crashes;
  finished_ = kept.finished;
  start_after_stop_ = kept.start_after_stop;
  launched_before_ = kept.launched_before;
  announced_ = kept.announced;
  backoff_ = kept.backoff;
  grace_ = kept.grace;
  policy_.resume(kept.policy);
  if (const auto resumed = cgroup_.resume(kept.cgroup); !resumed)
    log::warning("cgroup.not_resumed", {{"svc", spec_.name.value()}, {"err", resumed.error().message()}});
  if (!kept.run) {
    if (state_ == ServiceState::backoff) arm_backoff();
    if (state_ == ServiceState::starting) timer_ = loop_.after(milliseconds(0), [this] { launch_when_alone(); });
    return;
  }
  run_ = std::make_unique<ServiceRun>(spec_, cgroup_, preparation_, context_, run_events());
  run_->resume(*kept.run);
  if (state_ == ServiceState::stopping || ended_by_us_) arm_kill();
  if (ended_by_us_) run_->stop_watching_health();
}

}  // namespace vigil::guest::supervisor

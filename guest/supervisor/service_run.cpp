#include "guest/supervisor/service_run.hpp"

#include "guest/supervisor/death_facts.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::supervisor {
namespace {

constexpr process::StallWatch::Share thrashing{std::chrono::seconds(3), std::chrono::seconds(10)};

LaunchProblem out_of_descriptors(const std::string& message) {
  return {protocol::make_cause(protocol::CauseCode::unknown, {{"seen", message}}), false};
}

}  // namespace

ServiceRun::ServiceRun(const service_spec::ServiceSpec& spec, process::Cgroup& cgroup, LaunchPreparation& preparation, ServiceContext& context, RunEvents events)
    : spec_(spec),
      cgroup_(cgroup),
      preparation_(preparation),
      context_(context),
      events_(std::move(events)),
      log_(context.logs.of(spec.name.value())),
      out_(context.tools.loop, context.logs, log_.out),
      err_(context.tools.loop, context.logs, log_.err),
      probes_(std::in_place, spec.ready, spec.name, context.tools, events_.probes_changed),
      oom_(cgroup.path()),
      pressure_(cgroup.path()) {}

ServiceRun::~ServiceRun() { retire(); }

void ServiceRun::retire() {
  if (std::exchange(is_retired_, true)) return;
  log_.live = false;
  context_.logs.grew(0);
  if (pid_ > 0) context_.tools.reaper.forget(pid_);
  deadline_.cancel();
  health_.reset();
  probes_.reset();   // its sockets have names
  limit_of_processes_.reset();
  memory_stalls_.reset();
}

std::optional<LaunchProblem> ServiceRun::launch() {
  if (auto cause = preparation_.prepare()) return LaunchProblem{*std::move(cause)};
  process::LaunchPlan plan = preparation_.plan();
  plan.cgroup_fd = cgroup_.fd();
  log_.live = true;
  plan.stdout_fd = out_.open();
  plan.stderr_fd = err_.open();
  if (plan.stdout_fd < 0 || plan.stderr_fd < 0) return out_of_descriptors(std::string("output pipes: ") + std::strerror(errno));
  if (const Result<void> ready = probes_->prepare(plan); !ready) return out_of_descriptors(ready.error().message());
  oom_.take_baseline();
  pressure_.take_baseline();

  auto outcome = context_.tools.launcher.launch(plan);
  if (const auto* failure = std::get_if<process::LaunchFailure>(&outcome)) {
    if (failure->pid > 0) context_.tools.reaper.expect(failure->pid, [](const process::ProcessEnd&) {});
    return explain_launch_failure(spec_, *failure);
  }
  begin(std::get<process::Launched>(std::move(outcome)));
  return std::nullopt;
}

void ServiceRun::begin(process::Launched launched) {
  pid_ = launched.pid;
  pidfd_ = std::move(launched.pidfd);
  started_us_ = launched.started_us;
  group_ = process::ProcessGroup(cgroup_.path(), pid_);
  out_.launched();
  err_.launched();
  context_.tools.reaper.expect_soon_replaced(pid_, [this](const process::ProcessEnd& end) { on_death(end); });
  watch_limits();
  if (spec_.ready.empty()) return;
  arm_deadline(context_.tools.loop.now_us());
  probes_->begin(group_);
}

void ServiceRun::watch_limits() {
  if (!cgroup_) return;
  if (spec_.limits.pids) limit_of_processes_.emplace(context_.tools.loop, cgroup_.path() + "/pids.events", [this] { on_limit_of_processes(); });
  if (spec_.limits.memory_bytes) memory_stalls_.emplace(context_.tools.loop, cgroup_.path() + "/memory.pressure", thrashing, [this] { on_memory_stall(); });
}

void ServiceRun::arm_deadline(MonoUs begun_us) {
  const std::chrono::microseconds patience = spec_.ready_timeout * context_.tools.deadline_scale;
  const std::chrono::microseconds gone(static_cast<std::int64_t>(context_.tools.loop.now_us() - begun_us));
  deadline_ = context_.tools.loop.after_us(patience - gone, [this] {
    if (!probes_->all_passed()) events_.deadline_passed();
  });
}

KeptRun ServiceRun::keep() const {
  KeptRun kept;
  kept.pid = pid_;
  kept.started_us = started_us_;
  kept.out_fd = out_.reader();
  kept.err_fd = err_.reader();
  kept.probes = probes_->keep();
  kept.oom_kills = oom_.baseline();
  const auto pressure = pressure_.baseline();
  kept.forks_refused = pressure.forks_refused;
  kept.periods = pressure.periods.all;
  kept.periods_throttled = pressure.periods.throttled;
  kept.forks_told = forks_told_;
  if (health_) kept.health = health_->keep();
  return kept;
}

void ServiceRun::resume(const KeptRun& kept) {
  pid_ = kept.pid;
  pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));   // the process is our child, and not reaped: its number is its own
  started_us_ = kept.started_us;
  group_ = process::ProcessGroup(cgroup_.path(), pid_);
  log_.live = true;
  out_.resume(UniqueFd(kept.out_fd));
  err_.resume(UniqueFd(kept.err_fd));
  oom_.resume(kept.oom_kills);
  pressure_.resume({kept.forks_refused, {kept.periods, kept.periods_throttled}});
  forks_told_ = kept.forks_told;
  context_.tools.reaper.expect_again(pid_, [this](const process::ProcessEnd& end) { on_death(end); });
  watch_limits();
  probes_->resume(kept.probes, group_);
  if (!spec_.ready.empty() && !probes_->all_passed()) arm_deadline(started_us_);
  if (!kept.health || !spec_.health) return;
  (void)preparation_.prepare();   // for probes that are programs: without a plan they fail and say so
  became_ready();
  health_->resume(*kept.health);
}

/// Told while it lives; if it dies of it, its death says so too. Once a life: what forks without end is refused thousands of times.
void ServiceRun::on_limit_of_processes() {
  if (!pressure_.forks_were_refused() || std::exchange(forks_told_, true)) return;
  if (context_.trouble) context_.trouble(protocol::make_cause(protocol::CauseCode::guest_fork_bomb, {{"service", spec_.name.value()}}));
}

/// At its limit, and yet the kernel finds something to take back each time: it is not killed, and does not get on.
void ServiceRun::on_memory_stall() {
  const std::uint64_t limit = *spec_.limits.memory_bytes;
  if (!context_.trouble || evidence::memory_of(cgroup_.path()) < limit / 10 * 9) return;   // the whole VM is short of it: its health says so
  context_.trouble(protocol::make_cause(protocol::CauseCode::guest_memory_thrashing,
                                        {{"service", spec_.name.value()}, {"limit", static_cast<std::int64_t>(limit)}}));
}

void ServiceRun::became_ready() {
  deadline_.cancel();
  if (!spec_.health || health_) return;
  process::LaunchPlan plan = preparation_.plan();
  plan.cgroup_fd = cgroup_.fd();
  health_ = std::make_unique<HealthCheck>(*spec_.health, spec_.name, context_.tools, std::move(plan), group_,
                                          [this](Health health) { events_.health_changed(health); });
}

protocol::Cause ServiceRun::timeout_cause() const {
  protocol::Cause cause = probes_->timeout_cause();
  const evidence::CpuPeriods periods = pressure_.cpu_periods();
  if (cause.code != protocol::CauseCode::service_ready_timeout || !evidence::is_starved(periods)) return cause;
  std::vector<std::string> lines{
      "held back in " + std::to_string(periods.throttled) + " of " + std::to_string(periods.all) + " periods of its processor limit",
      protocol::sentence(cause)};
  return protocol::make_cause(protocol::CauseCode::service_cpu_starved, {}, std::move(lines));
}

void ServiceRun::signal(int number) {
  if (pid_ > 0) syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void ServiceRun::kill_all() {
  if (cgroup_)
    cgroup_.kill_all();
  else
    group_.kill_all();
}

void ServiceRun::on_death(const process::ProcessEnd& end) {
  pid_ = 0;
  deadline_.cancel();
  health_.reset();
  out_.drain();
  err_.drain();
  const evidence::LifeStage stage = probes_->all_passed() ? evidence::LifeStage::running : evidence::LifeStage::before_ready;
  const std::vector<pid_t> left = group_.members();
  evidence::ExitFacts facts =
      collect_death_facts({spec_, end, left, out_, err_, stage, oom_, pressure_, context_.oom_log, context_.tools.name_process});

  RunEnd run_end;
  run_end.left_others = !left.empty();
  if (run_end.left_others) kill_all();
  const bool done = evidence::is_success(end.status) && stage == evidence::LifeStage::running && !facts.left_behind;
  run_end.kind = done ? Death::Kind::finished : Death::Kind::failure;

  protocol::CrashReport& crash = run_end.crash;
  crash.service = spec_.name.value();
  crash.process = end.comm;
  crash.pid = end.pid;
  crash.exit = end.status;
  crash.cause = evidence::classify_exit(facts);
  crash.started_us = started_us_;
  crash.ended_us = end.ended_us;
  crash.user_us = end.user_us;
  crash.system_us = end.system_us;
  crash.max_rss_kib = end.max_rss_kib;
  crash.stdout_tail = std::move(facts.stdout_tail);
  crash.stderr_tail = std::move(facts.stderr_tail);
  crash.stdout_lost = out_.tail().lost();
  crash.stderr_lost = err_.tail().lost();
  crash.oom = std::move(facts.oom);
  const auto ended = events_.ended;   // survives us
  ended(std::move(run_end));
}

}  // namespace vigil::guest::supervisor

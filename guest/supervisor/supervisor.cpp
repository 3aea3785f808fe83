#include "guest/supervisor/supervisor.hpp"

#include "guest/evidence/oom_watch.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/small_file.hpp"
#include "guest/readiness/listener_watch.hpp"
#include "guest/supervisor/kept_service.hpp"
#include "guest/supervisor/service.hpp"
#include "guest/supervisor/spec_errors.hpp"
#include "guest/supervisor/start_order.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <utility>

namespace vigil::guest::supervisor {
namespace {

using protocol::ServiceState;
using std::chrono::milliseconds;

constexpr milliseconds patience_after_kill{1000};   // SIGKILL needs no second; a process stuck in the kernel is not waited for

// A launch takes the better part of a millisecond: reports and deaths have their turn between these.
constexpr int launches_per_turn = 4;

/// The signals that say that a program is broken, not that somebody ended it.
bool is_fault(const protocol::ExitStatus& status) {
  const auto* signal = std::get_if<protocol::ExitSignal>(&status);
  if (signal == nullptr) return false;
  const int faults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS};
  return std::find(std::begin(faults), std::end(faults), signal->signal) != std::end(faults);
}

bool is_live(const Service& service) { return service.has_process() || service.standing() == Standing::pending; }

}  // namespace

Result<void> check_resumable(const service_spec::SpecSet& specs, const KeptSupervisor& kept) {
  for (const KeptService& service : kept.services) {
    const bool known = std::any_of(specs.services.begin(), specs.services.end(), [&](const auto& spec) { return spec.name.value() == service.name; });
    if (service.run && !known) return Error(Errc::invalid, "service " + service.name + " runs, but its file is gone or wrong: mend the file, or stop the service");
  }
  return {};
}

std::optional<ServiceAction> parse_service_action(std::string_view text) {
  if (text == "start") return ServiceAction::start;
  if (text == "stop") return ServiceAction::stop;
  if (text == "restart") return ServiceAction::restart;
  if (text == "reload") return ServiceAction::reload;
  return std::nullopt;
}

struct Supervisor::Impl {
  enum class Progress { running, stopping, stopped };

  Impl(EventLoop& event_loop, ReportSink& report_sink, process::Reaper& process_reaper, SupervisorOptions supervisor_options, process::OutputLogs* output_logs)
      : loop(event_loop), sink(report_sink), reaper(process_reaper), options(std::move(supervisor_options)), listeners(loop, options.tracefs),
        tools{loop, launcher, reaper, listeners, options.deadline_scale, options.runtime_dir, [this](pid_t pid) { return name_process(pid); }},
        context{sink, options, tools, oom_log, output_logs != nullptr ? *output_logs : own_logs, [this] { evaluate_soon(); },
                [this](const ServiceName& name) { started_anew.push_back(name); },   // a change was told just before
                [this](protocol::Cause cause) {
                  if (events.trouble) events.trouble(std::move(cause));
                }} {}

  void start(const service_spec::SpecSet& specs, SupervisorEvents stage_events);
  void add_services(const service_spec::SpecSet& specs);
  Result<void> resume(const service_spec::SpecSet& specs, const KeptSupervisor& kept, SupervisorEvents stage_events);
  Result<KeptSupervisor> keep() const;
  void evaluate_soon();
  void evaluate();
  void restart_followers();
  void start_next();
  void tell_failures();
  void tell_stages();
  void stop_next();
  void stopped();
  Standing standing_of(const ServiceName& name) const;
  Result<Service*> find(const ServiceName& name) const;
  std::string name_process(pid_t pid) const;
  const Service* service_of(pid_t pid) const;
  void report_orphan(const process::ProcessEnd& end);

  EventLoop& loop;
  ReportSink& sink;
  process::Reaper& reaper;
  const SupervisorOptions options;
  process::Launcher launcher;
  readiness::ListenerWatch listeners;
  readiness::ListenerWatch::Subscription ports_changed;
  evidence::KernelOomLog oom_log;
  readiness::ProbeTools tools;
  process::OutputLogs own_logs;
  ServiceContext context;
  std::vector<protocol::ServiceReport> broken;       // files that are wrong
  std::vector<std::unique_ptr<Service>> services;    // dependencies first
  std::map<ServiceName, Service*> by_name;
  SupervisorEvents events;
  std::vector<ServiceName> started_anew;
  std::set<ServiceName> failures_told;
  std::uint64_t orphan_crashes = 0;
  Progress progress = Progress::running;
  MonoUs stop_deadline_us = 0;
  std::vector<std::function<void()>> stop_listeners;
  LoopToken evaluation, stop_timer;
};

void Supervisor::Impl::start(const service_spec::SpecSet& specs, SupervisorEvents stage_events) {
  events = std::move(stage_events);
  mkdir(options.runtime_dir.c_str(), 0755);
  add_services(specs);
  for (const protocol::ServiceReport& report : broken) sink.submit(report);
  evaluate_soon();
}

Result<void> Supervisor::Impl::resume(const service_spec::SpecSet& specs, const KeptSupervisor& kept, SupervisorEvents stage_events) {
  TRY_VOID(check_resumable(specs, kept));
  events = std::move(stage_events);
  if (kept.is_ready_told) events.essentials_ready = nullptr;
  if (kept.is_settled_told) events.all_settled = nullptr;
  for (const std::string& name : kept.failures_told)
    if (auto known = parse_service_name(name)) failures_told.insert(*known);
  orphan_crashes = kept.orphan_crashes;
  add_services(specs);
  for (const KeptService& service : kept.services) {
    const auto name = parse_service_name(service.name);
    const auto found = name ? by_name.find(*name) : by_name.end();
    if (found != by_name.end()) found->second->resume(service);
  }
  evaluate_soon();
  return {};
}

Result<KeptSupervisor> Supervisor::Impl::keep() const {
  if (progress != Progress::running) return Error(Errc::conflict, "all services are being stopped");
  KeptSupervisor kept;
  for (const auto& service : services) kept.services.push_back(service->keep());
  for (const ServiceName& name : failures_told) kept.failures_told.push_back(name.value());
  kept.orphan_crashes = orphan_crashes;
  kept.is_ready_told = events.essentials_ready == nullptr;
  kept.is_settled_told = events.all_settled == nullptr;
  return kept;
}

void Supervisor::Impl::add_services(const service_spec::SpecSet& specs) {
  reaper.on_orphan([this](const process::ProcessEnd& end) { report_orphan(end); });
  broken = reports_of_errors(specs.errors, loop.now_us());
  for (const service_spec::ServiceSpec& spec : specs.services) {
    services.push_back(std::make_unique<Service>(spec, context));
    by_name.emplace(spec.name, services.back().get());
  }
}

void Supervisor::Impl::evaluate_soon() {
  if (!evaluation) evaluation = loop.after(milliseconds(0), [this] { evaluate(); });
}

void Supervisor::Impl::evaluate() {
  evaluation.cancel();   // what changes from here on asks for another turn
  if (progress == Progress::running) restart_followers();
  if (progress == Progress::running) start_next();
  tell_failures();
  tell_stages();
  if (progress == Progress::stopping) stop_next();
}

void Supervisor::Impl::restart_followers() {
  for (const ServiceName& name : std::exchange(started_anew, {}))
    for (const auto& service : services) {
      const auto& others = service->spec().restart_with;
      if (std::find(others.begin(), others.end(), name) != others.end()) service->follow_restart(name);
    }
}

void Supervisor::Impl::start_next() {
  int launched = 0;
  for (const auto& service : services) {
    if (!service->is_considered()) continue;
    service->consider(judge_start(service->spec(), [this](const ServiceName& name) { return standing_of(name); }));
    if (service->is_considered() || ++launched < launches_per_turn) continue;
    evaluate_soon();
    return;
  }
}

void Supervisor::Impl::tell_failures() {
  std::vector<protocol::ServiceReport> failed;
  const auto note = [&](const protocol::ServiceReport& report) {
    if (report.state != ServiceState::failed)
      failures_told.erase(report.name);
    else if (report.essential && failures_told.insert(report.name).second)
      failed.push_back(report);
  };
  for (const protocol::ServiceReport& report : broken) note(report);
  for (const auto& service : services)
    if (service->state() == ServiceState::failed || failures_told.contains(service->spec().name)) note(service->report());
  for (const protocol::ServiceReport& report : failed)
    if (events.essential_failed) events.essential_failed(report);
}

void Supervisor::Impl::tell_stages() {
  const auto works = [](const auto& service) {
    const Standing standing = service->standing();
    return !service->spec().essential || standing == Standing::ready || standing == Standing::finished;
  };
  const auto settled = [](const auto& service) { return service->standing() != Standing::pending; };
  if (progress != Progress::running) return;
  if (events.essentials_ready && broken.empty() && std::all_of(services.begin(), services.end(), works))
    std::exchange(events.essentials_ready, nullptr)();
  if (events.all_settled && std::all_of(services.begin(), services.end(), settled)) std::exchange(events.all_settled, nullptr)();
}

void Supervisor::Impl::stop_next() {
  bool anyone_live = false;
  const MonoUs now = loop.now_us();
  const milliseconds left(now < stop_deadline_us ? static_cast<std::int64_t>((stop_deadline_us - now) / 1000) : 0);
  for (const auto& service : services) {
    if (!is_live(*service)) continue;
    anyone_live = true;
    const bool needed = std::any_of(services.begin(), services.end(), [&](const auto& other) {
      return other != service && is_live(*other) && depends_on(other->spec(), service->spec().name);
    });
    if (!needed && service->state() != ServiceState::stopping) service->ask_stop(left);
  }
  if (!anyone_live) stopped();
}

void Supervisor::Impl::stopped() {
  if (std::exchange(progress, Progress::stopped) == Progress::stopped) return;
  stop_timer.cancel();
  for (const auto& done : std::exchange(stop_listeners, {}))
    if (done) done();
}

Standing Supervisor::Impl::standing_of(const ServiceName& name) const {
  const auto found = by_name.find(name);
  return found == by_name.end() ? Standing::unknown : found->second->standing();
}

Result<Service*> Supervisor::Impl::find(const ServiceName& name) const {
  const auto found = by_name.find(name);
  if (found != by_name.end()) return found->second;
  std::string known;
  for (const auto& service : services) known += " " + service->spec().name.value();
  return Error(Errc::not_found, "no service " + name.value() + "; there are:" + known);
}

const Service* Supervisor::Impl::service_of(pid_t pid) const {
  const std::string cgroup =
      process::parse_cgroup_v2(process::read_small_file("/proc/" + std::to_string(pid) + "/cgroup", 4096).value_or(""));
  for (const auto& service : services)
    if (cgroup.size() > 1 && service->cgroup_path().ends_with(cgroup)) return service.get();
  constexpr int deepest = 32;
  for (int depth = 0; pid > 1 && depth < deepest; ++depth) {
    const auto stat = process::read_stat(pid);
    for (const auto& service : services)
      if (service->pid() > 0 && (service->pid() == pid || (stat && stat->session == service->pid()))) return service.get();
    pid = stat ? stat->parent : 0;
  }
  return nullptr;
}

std::string Supervisor::Impl::name_process(pid_t pid) const {
  std::string name = "a process";
  if (const Service* service = service_of(pid))
    name = service->spec().name.value();
  else if (auto stat = process::read_stat(pid))
    name = std::move(stat->comm);
  return name + " (pid " + std::to_string(pid) + ")";
}

void Supervisor::Impl::report_orphan(const process::ProcessEnd& end) {
  if (!is_fault(end.status)) return;
  protocol::CrashReport crash;
  for (const auto& service : services)
    if (end.cgroup.size() > 1 && service->cgroup_path().ends_with(end.cgroup)) crash.service = service->spec().name.value();
  crash.crash = "orphan-" + std::to_string(++orphan_crashes);
  crash.process = end.comm;
  crash.pid = end.pid;
  crash.exit = end.status;
  crash.cause = protocol::make_cause(protocol::CauseCode::service_signalled,
                                     {{"signal", protocol::signal_name(std::get<protocol::ExitSignal>(end.status).signal)}});
  crash.ended_us = end.ended_us;
  crash.user_us = end.user_us;
  crash.system_us = end.system_us;
  crash.max_rss_kib = end.max_rss_kib;
  sink.submit(std::move(crash));
}

Supervisor::Supervisor(EventLoop& loop, ReportSink& sink, process::Reaper& reaper, SupervisorOptions options, process::OutputLogs* logs)
    : impl_(std::make_unique<Impl>(loop, sink, reaper, std::move(options), logs)) {}

Supervisor::~Supervisor() { impl_->reaper.on_orphan(nullptr); }

void Supervisor::start(const service_spec::SpecSet& specs, SupervisorEvents events) { impl_->start(specs, std::move(events)); }

Result<KeptSupervisor> Supervisor::keep() const { return impl_->keep(); }

Result<void> Supervisor::resume(const service_spec::SpecSet& specs, const KeptSupervisor& kept, SupervisorEvents events) {
  return impl_->resume(specs, kept, std::move(events));
}

void Supervisor::stop_all(milliseconds grace, std::function<void()> on_done) {
  impl_->stop_listeners.push_back(std::move(on_done));
  if (impl_->progress == Impl::Progress::stopping) return;
  impl_->progress = Impl::Progress::stopping;
  impl_->stop_deadline_us = impl_->loop.now_us() + static_cast<MonoUs>(std::chrono::microseconds(grace).count());
  impl_->stop_timer = impl_->loop.after(grace, [impl = impl_.get()] {
    for (const auto& service : impl->services) service->kill_now();
    impl->stop_timer = impl->loop.after(patience_after_kill, [impl] { impl->stopped(); });
  });
  impl_->evaluate_soon();
}

Result<void> Supervisor::request(const ServiceName& name, ServiceAction action) {
  if (impl_->progress != Impl::Progress::running) return Error(Errc::conflict, "all services are being stopped");
  TRY(service, impl_->find(name));
  switch (action) {
    case ServiceAction::start: service->ask_start(); break;
    case ServiceAction::stop: service->ask_stop(milliseconds::max()); break;
    case ServiceAction::restart: service->ask_restart(); break;
    case ServiceAction::reload: return service->reload();
  }
  return {};
}

Result<void> Supervisor::signal(const ServiceName& name, int number) {
  TRY(service, impl_->find(name));
  return service->send_signal(number);
}

Result<ServiceOutput> Supervisor::output(const ServiceName& name) const {
  TRY(service, impl_->find(name));
  auto output = service->output();
  if (!output) return Error(Errc::unavailable, name.value() + " has no process now; its state is " + std::string(to_text(service->state())));
  return std::move(*output);
}

void Supervisor::other_died(const process::ProcessEnd& end) { impl_->report_orphan(end); }
void Supervisor::on_ports_changed(std::function<void()> look) { impl_->ports_changed = impl_->listeners.subscribe_to_all(std::move(look)); }

std::string Supervisor::service_of(pid_t pid) const {
  const Service* service = impl_->service_of(pid);
  return service == nullptr ? std::string() : service->spec().name.value();
}

std::vector<protocol::ServiceReport> Supervisor::services() const {
  std::vector<protocol::ServiceReport> reports;
  for (const auto& service : impl_->services) reports.push_back(service->report());
  reports.insert(reports.end(), impl_->broken.begin(), impl_->broken.end());
  return reports;
}

}  // namespace vigil::guest::supervisor

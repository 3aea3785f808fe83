// One life of a service's main process: from the launch through its probes to the facts of its end.
//
// Shape:  made for one launch and dropped after it. Events are called from the loop; the owner may drop the run from within `ended`.
#pragma once

#include "guest/evidence/cgroup_pressure.hpp"
#include "guest/evidence/file_change.hpp"
#include "guest/evidence/oom_watch.hpp"
#include "guest/process/cgroup.hpp"
#include "guest/process/output_capture.hpp"
#include "guest/process/process_group.hpp"
#include "guest/process/stall_watch.hpp"
#include "guest/readiness/probe_set.hpp"
#include "guest/supervisor/health_check.hpp"
#include "guest/supervisor/kept_service.hpp"
#include "guest/supervisor/launch_preparation.hpp"
#include "guest/supervisor/restart_policy.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vigil::guest::supervisor {

/// What all services share; outlives them.
struct ServiceContext {
  ReportSink& sink;
  const SupervisorOptions& options;
  readiness::ProbeTools& tools;
  evidence::KernelOomLog& oom_log;
  process::OutputLogs& logs;
  std::function<void()> changed;
  std::function<void(const ServiceName&)> started_anew{};   // like changed: may only take note
  std::function<void(protocol::Cause)> trouble{};   // a cause that is no end: the service lives on
};

struct RunEnd {
  Death::Kind kind = Death::Kind::failure;
  protocol::CrashReport crash;     // all but its id, restarts and will_restart
  bool left_others = false;        // processes of the service outlived it and were killed
};

struct RunEvents {
  std::function<void()> probes_changed;
  std::function<void()> deadline_passed;
  std::function<void(Health)> health_changed;
  std::function<void(RunEnd)> ended;
};

class ServiceRun {
public:
  ServiceRun(const service_spec::ServiceSpec& spec, process::Cgroup& cgroup, LaunchPreparation& preparation, ServiceContext& context, RunEvents events);
  ServiceRun(const ServiceRun&) = delete;
  ServiceRun& operator=(const ServiceRun&) = delete;
  ~ServiceRun();

  /// Nothing when the program runs; else why not, and then the run is of no more use.
  std::optional<LaunchProblem> launch();
  KeptRun keep() const;
  /// In place of launch(): the process runs already, or has ended by now.
  void resume(const KeptRun& kept);
  /// From now on its health is watched, if its file says so.
  void became_ready();
  void stop_watching_health() { health_.reset(); }
  /// It has ended: what its replacement needs is free after this. Its descriptors are closed with the run, which may wait until the replacement has begun.
  void retire();
  void signal(int number);
  void kill_all();

  pid_t pid() const { return pid_; }
  const process::OutputTail& stdout_tail() const { return out_.tail(); }
  const process::OutputTail& stderr_tail() const { return err_.tail(); }
  const process::ProcessGroup& group() const { return group_; }
  bool probes_passed() const { return probes_->all_passed(); }
  std::vector<protocol::ProbeResult> probe_results() const { return probes_->results(); }
  std::optional<protocol::Cause> finding() const { return probes_->finding(); }
  protocol::Cause timeout_cause() const;
  const protocol::Cause& health_cause() const { return health_->cause(); }

private:
  void begin(process::Launched launched);
  void watch_limits();
  void arm_deadline(MonoUs begun_us);
  void on_limit_of_processes();
  void on_memory_stall();
  void on_death(const process::ProcessEnd& end);

  const service_spec::ServiceSpec& spec_;
  process::Cgroup& cgroup_;
  LaunchPreparation& preparation_;
  ServiceContext& context_;
  RunEvents events_;
  process::OutputLog& log_;
  process::OutputCapture out_, err_;
  std::optional<readiness::ProbeSet> probes_;   // until it retires
  evidence::OomWatch oom_;
  evidence::CgroupPressure pressure_;
  std::unique_ptr<HealthCheck> health_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  MonoUs started_us_ = 0;
  process::ProcessGroup group_;
  LoopToken deadline_;
  std::optional<evidence::FileChange> limit_of_processes_;
  std::optional<process::StallWatch> memory_stalls_;
  bool forks_told_ = false, is_retired_ = false;
};

}  // namespace vigil::guest::supervisor

// One service: the pure machine and policy, around the run of its process, and its reports.
//
// Shape:  a resource that lives as long as the supervisor. Commands say what is wanted; what happens is seen in state() and in the reports.
//         ServiceContext::changed is called after every change, maybe from within a command: it may only take note.
#pragma once

#include "guest/supervisor/service_machine.hpp"
#include "guest/supervisor/service_run.hpp"
#include "guest/supervisor/start_order.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {

class Service {
public:
  Service(service_spec::ServiceSpec spec, ServiceContext& context);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// What the start order says of a service that waits, or that failed for a dependency which may be back.
  void consider(const StartVerdict& verdict);
  void ask_start();
  /// Kills after the file's grace, or after `grace_limit` if that is shorter.
  void ask_stop(std::chrono::milliseconds grace_limit);
  void ask_restart();
  /// A service that it restarts with runs anew.
  void follow_restart(const ServiceName& other);
  /// To its main process. Errc::conflict when there is none.
  Result<void> send_signal(int number);
  /// Errc::unsupported when its file says nothing of reloading.
  Result<void> reload();
  /// All its processes, at once.
  void kill_now();

  KeptService keep() const;
  /// Of a service that nothing was asked of yet: goes on where the life before was.
  void resume(const KeptService& kept);

  const service_spec::ServiceSpec& spec() const { return spec_; }
  protocol::ServiceState state() const { return state_; }
  Standing standing() const;
  bool has_process() const { return run_ != nullptr; }
  pid_t pid() const { return run_ ? run_->pid() : 0; }
  const std::string& cgroup_path() const { return cgroup_.path(); }
  bool is_considered() const;   // consider() means something to it now
  protocol::ServiceReport report() const;
  /// Of the process that lives now.
  std::optional<ServiceOutput> output() const;

private:
  bool apply(ServiceEvent event);
  void arm_backoff();
  void arm_kill();
  RunEvents run_events();
  void submit();
  void tell_crash();
  void launch_when_alone();
  bool is_alone();
  void launch();
  void launch_failed(LaunchProblem problem);
  void on_probes_changed();
  void on_deadline();
  void on_health(Health health);
  void on_end(RunEnd end);
  void judge_end(RunEnd end);
  void stop_process();
  void end_process();

  const service_spec::ServiceSpec spec_;
  ServiceContext& context_;
  EventLoop& loop_;
  process::Cgroup cgroup_;
  LaunchPreparation preparation_;
  RestartPolicy policy_;
  protocol::ServiceState state_ = protocol::ServiceState::waiting;
  MonoUs since_us_ = 0;
  std::optional<protocol::Cause> cause_;
  std::vector<std::string> waits_for_;
  std::vector<protocol::ProbeResult> last_probes_;   // of the run that has ended
  std::unique_ptr<ServiceRun> run_;
  std::optional<protocol::CrashReport> untold_crash_;   // of the last run: told once its replacement has been started, before anything else is told of us
  std::optional<protocol::Cause> ended_by_us_;       // why: its health
  std::optional<process::ProcessGroup> leftovers_;   // killed, maybe not gone yet
  MonoUs ready_since_us_ = 0;                        // 0: not ready in this run
  std::uint32_t restarts_ = 0, crashes_ = 0, checks_for_leftovers_ = 0;
  bool finished_ = false, start_after_stop_ = false, launched_before_ = false, announced_ = false;
  std::chrono::milliseconds backoff_{0}, grace_{0};
  LoopToken timer_;                                  // back-off, grace or leftovers: never two at once
};

}  // namespace vigil::guest::supervisor

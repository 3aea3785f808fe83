// Starts the services of one SpecSet in order, watches each until it is ready, says how each one died, restarts it by its policy, stops all in reverse.
//
// Shape:  one Supervisor an agent. It submits a ServiceReport on every change of a service and a CrashReport for every death that nobody asked for.
//         Callbacks run from the event loop, never from inside the call that causes them.
// Units:  deadlines of the specs are multiplied by SupervisorOptions::deadline_scale; back-off is not.
// Errors: what is wrong with a service is a state and a cause in its report; only a request for what does not exist is an Error.
// Thread: the loop's. Source: CONTRACTS "States", DESIGN "Supervision".
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/output_logs.hpp"
#include "guest/process/reaper.hpp"
#include "guest/report/report_sink.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/report.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {

struct KeptSupervisor;   // kept_service.hpp

struct SupervisorOptions {
  int deadline_scale = 1;                       // protocol::deadline_scale(accelerator)
  std::string cgroup_root;                      // a cgroup v2 directory ("/sys/fs/cgroup"); empty: no cgroups, services are told apart by process tree
  std::string runtime_dir = "/run/vigil";       // notify sockets and credentials live below it; made when missing
  std::string tracefs = "/sys/kernel/tracing";  // empty or not there: listeners are found by a bounded back-off
  std::map<std::string, std::string> env;       // for every service; a service's own env wins
  std::map<std::string, std::string> secrets;   // name -> value; handed out as files to the services that name them
};

/// What the boot stages wait for. Each is called at most once, but for essential_failed (once for each such service) and trouble.
struct SupervisorEvents {
  std::function<void()> essentials_ready;       // every essential service is ready, or ended with success: stage `ready`
  std::function<void(const protocol::ServiceReport&)> essential_failed;
  std::function<void(protocol::Cause)> trouble;  // a service reached one of its limits and lives on
  std::function<void()> all_settled;            // none is waiting, starting or backing off any more: stage `services` is over, well or not
};

/// The last 64 KiB of each stream of the process that lives, and how many bytes came before.
struct ServiceOutput {
  std::string stdout_tail, stderr_tail;
  std::uint64_t stdout_lost = 0, stderr_lost = 0;
};

enum class ServiceAction { start, stop, restart, reload };
std::optional<ServiceAction> parse_service_action(std::string_view text);

/// Whoever runs the VM's services, as the agent knows it: the Supervisor, or systemd as guest/systemd sees it.
class ServiceRunner {
public:
  virtual ~ServiceRunner() = default;
  /// on_done is called once; whoever is alive after `grace` is killed before that.
  virtual void stop_all(std::chrono::milliseconds grace, std::function<void()> on_done) = 0;
  virtual Result<void> request(const ServiceName& name, ServiceAction action) = 0;
  virtual Result<void> signal(const ServiceName& name, int number) = 0;
  virtual void other_died(const process::ProcessEnd& end) = 0;
  virtual Result<ServiceOutput> output(const ServiceName& name) const = 0;
  virtual std::string service_of(pid_t pid) const = 0;
  virtual std::vector<protocol::ServiceReport> services() const = 0;
};

/// Whether Supervisor::resume() would; for an agent that is only tried.
Result<void> check_resumable(const service_spec::SpecSet& specs, const KeptSupervisor& kept);

class Supervisor final : public ServiceRunner {
public:
  /// `logs` outlives it; without one the output can be asked for, but not followed.
  Supervisor(EventLoop& loop, ReportSink& sink, process::Reaper& reaper, SupervisorOptions options, process::OutputLogs* logs = nullptr);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  /// Leaves processes alone; stop_all() first.
  ~Supervisor() override;

  /// Once. Errors of the set are reported as failed services named after their file; the rest starts.
  void start(const service_spec::SpecSet& specs, SupervisorEvents events = {});
  /// Between two lives of the agent. Errc::conflict, in words, while it stops all.
  Result<KeptSupervisor> keep() const;
  /// In place of start(): the services of `specs` go on as they were; one that was not there begins. Of `events` only those that are still to come are called.
  /// Errc::invalid: a process runs whose service has no file any more; nothing was done.
  Result<void> resume(const service_spec::SpecSet& specs, const KeptSupervisor& kept, SupervisorEvents events);
  /// Stops dependants before what they depend on; whoever is alive after `grace` is killed. on_done is called once, at the latest a second after that.
  void stop_all(std::chrono::milliseconds grace, std::function<void()> on_done) override;
  /// Errc::not_found names the services there are; Errc::conflict while everything stops; Errc::unsupported to reload what has no reload.
  Result<void> request(const ServiceName& name, ServiceAction action) override;
  /// To the main process of the service. Errc::conflict when it has none.
  Result<void> signal(const ServiceName& name, int number) override;

  /// A process that is none of the services' first has died: reported if it died of a fault.
  void other_died(const process::ProcessEnd& end) override;

  /// Errc::not_found names the services there are; Errc::unavailable when no process of it lives.
  Result<ServiceOutput> output(const ServiceName& name) const override;

  /// A listening port came or went; from the kernel's events, where it has them. Replaces the former listener.
  void on_ports_changed(std::function<void()> look);
  /// Of the process; empty when it is of none.
  std::string service_of(pid_t pid) const override;

  /// Every service as it is now, in start order: the table of the boot report.
  std::vector<protocol::ServiceReport> services() const override;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::guest::supervisor

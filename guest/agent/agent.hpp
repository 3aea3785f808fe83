// The agent's second life, put together: services, link, console, health, shutdown. The one place that knows all of them.
//
// Shape:  waits for the host's configuration (at most 5 s, scaled), starts the services, reports stages agent, services and ready, and ends when it is asked to:
//         services stopped, bye committed, then the return value says how the machine is to end.
// Source: CONTRACTS "Control link", "Stages and deadlines".
#pragma once

#include "guest/boot/handover.hpp"
#include "guest/console/console_port.hpp"
#include "guest/control/control_socket.hpp"
#include "guest/egress/egress_proxy.hpp"
#include "guest/evidence/core_intake.hpp"
#include "guest/health/clock_watch.hpp"
#include "guest/health/health_before_death.hpp"
#include "guest/health/health_monitor.hpp"
#include "guest/health/listening_ports.hpp"
#include "guest/init/shutdown_signals.hpp"
#include "guest/init/wall_clock.hpp"
#include "guest/journal/crash_journal.hpp"
#include "guest/link/guest_request.hpp"
#include "guest/link/host_line.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/reaper.hpp"
#include "guest/signin/sign_ins.hpp"
#include "guest/streams/exec_sessions.hpp"
#include "guest/streams/file_worker.hpp"
#include "guest/streams/stream_server.hpp"
#include "guest/supervisor/supervisor.hpp"
#include "guest/systemd/units.hpp"
#include "guest/upgrade/probation.hpp"
#include "guest/upgrade/upgrade.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::agent {

enum class Place { vm, outside };     // outside: development and tests; the machine is not ours
enum class Init { agent, systemd };   // systemd: the agent is one of its services

struct AgentSetup {
  Place place = Place::outside;
  Init init = Init::agent;
  std::function<void(const boot::Handover&)> keep;   // under systemd: what the next life will find, should this one end at any moment
  BootId boot;
  std::string image;                  // manifest digest
  protocol::Accelerator accelerator = protocol::Accelerator::kvm;
  std::string services;               // directory of service files
  supervisor::SupervisorOptions supervisor;
  boot::Handover left;                // by the initramfs life; in it the configuration, when it came already
  std::vector<std::string> problems;  // of the system's setup, for the diagnosis
  std::string journal;                // directory in which crash reports outlive this boot; empty: none do
  /// In the place of another build: all that it left. `probation`: on trial, with a way back to it; `died_of`: or the other way round, the newer build has just died of that signal.
  std::optional<upgrade::KeptAgent> kept;
  std::unique_ptr<upgrade::Probation> probation;
  int died_of = 0;
  std::string streams_socket;         // outside a VM: where the host's streams arrive; empty: nowhere
};

class Agent {
public:
  Agent(AgentSetup setup, link::Dialler& dialler, console::ConsolePort console);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Until the end that somebody asked for.
  protocol::ByeReport::Kind run();

private:
  enum class Configured { by_host, by_default };

  enum class Keep { all_or_nothing, what_can_be };

  void begin();
  void run_loop();
  void end_loop();
  void resume(const upgrade::KeptAgent& kept);
  void resume_services(const upgrade::KeptAgent& kept);
  void resume_streams(const upgrade::KeptAgent& kept);
  Result<upgrade::KeptAgent> keep(Keep how) const;
  Result<void> check_replaceable() const;
  void replace(const protocol::Request& request, const link::UpgradeRequest& wanted);
  void tell_upgrade(const upgrade::KeptAgent& kept);
  void tell_outcome(std::uint64_t request, const std::string& outcome, const std::string& from, const std::string& to, const std::string& reason);
  supervisor::SupervisorEvents supervisor_events();
  void take_configuration(const protocol::GuestConfig& config);
  link::Connection take_connection();
  void listen_for_streams();
  streams::StreamServer::Accept accept_host();
  void refused_stranger(std::uint32_t cid);
  void open_egress();
  void use_egress(UniqueFd listener);
  void take_cores();
  void welcomed(const protocol::Welcome& welcome);
  void start_services(const protocol::GuestConfig& config, Configured how);
  void run_services(const protocol::GuestConfig& config, supervisor::SupervisorEvents events);
  void adopt_units(const protocol::GuestConfig& config, supervisor::SupervisorEvents events);
  void keep_for_next_life();
  void send_kept_crashes();
  journal::JournalTools journal_tools();
  link::LinkEvents link_events();
  void tell_sudden_end();
  void asked_by_systemd(const init::ShutdownAsk& ask);
  bool answers_later(const protocol::Request& request, const link::GuestRequest& parsed);
  void services_ready();
  void essential_failed(const protocol::ServiceReport& service);
  void host_clock_said(UnixUs host_unix_us);
  std::string service_of(pid_t pid) const { return supervisor_ ? supervisor_->service_of(pid) : std::string(); }
  void requested(const protocol::Request& request);
  Result<std::string> answer(const link::GuestRequest& request);
  Result<std::string> answer_inside(const protocol::Request& request);
  std::string diagnose();
  void shut_down(const init::ShutdownAsk& ask);
  void say_bye();
  void report(protocol::Stage stage, protocol::StageReport::Phase phase, std::string detail = {}, std::optional<protocol::Cause> cause = {});
  void print_boot_report(bool ready, std::optional<protocol::Cause> cause);

  AgentSetup setup_;
  int scale_;
  EventLoop loop_;
  link::HostLine line_;
  process::Reaper reaper_;
  health::ListeningPorts ports_;
  health::HealthMonitor health_;
  health::HealthBeforeDeath health_before_death_;
  evidence::CoreIntake cores_;  // what the supervisor reports to
  init::WallClock wall_clock_;
  process::Launcher launcher_;
  journal::CrashJournal journal_;
  process::OutputLogs output_logs_;
  streams::ExecSessions exec_sessions_;
  streams::FileWorkers file_workers_;
  signin::SignIns sign_ins_;
  std::optional<streams::StreamServer> streams_;
  std::optional<egress::EgressProxy> egress_;
  health::ClockWatch clock_;
  std::unique_ptr<supervisor::ServiceRunner> supervisor_;
  systemd::Units* units_ = nullptr;   // supervisor_, where systemd runs the services
  supervisor::Supervisor* own_services_ = nullptr;   // supervisor_, where we do
  protocol::Welcome welcome_;         // the last one
  std::optional<init::ShutdownAsk> ending_;
  bool told_failure_ = false, was_ready_ = false, stranger_pause_ = false;
  LoopToken stranger_again_;
  LoopToken configuration_deadline_;
  std::optional<control::ControlSocket> control_;
  init::ShutdownSignals signals_;
  upgrade::Upgrade upgrade_;
  std::unique_ptr<upgrade::Probation> probation_;
  LoopToken probation_end_;
  std::pair<std::uint64_t, std::string> upgraded_;   // the host's request, the former build
  bool is_over_ = false;
};

}  // namespace vigil::guest::agent

// The services of a VM whose init is systemd: its units, adopted by name, as the rest of the agent knows services.
//
// Shape:  start() connects; adopted are the services that the default target brings up and that an administrator put there (a unit file or a link below /etc/systemd/system), and
//         that target itself, so that "everything is ready" is one rule. A section [X-Vigil] of the unit file may say Essential=no, Adopt=no, and by which probes it is ready; systemd skips it.
//         A lost connection is made anew and everything is read again. While there is none, failures come by unit_failed().
// Errors: as supervisor::ServiceRunner says. Source: DESIGN "Boot" (systemd mode). Thread: the loop's.
#pragma once

#include "guest/supervisor/supervisor.hpp"
#include "guest/systemd/adopted_unit.hpp"
#include "guest/systemd/blockage.hpp"
#include "guest/systemd/manager_bus.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::systemd {

struct UnitsOptions {
  int deadline_scale = 1;
  bool is_first_life = true;  // false: an agent before us has told what had ended by then
  std::string socket = private_socket;
  std::string admin_folder = "/etc/systemd/system";
  std::string tracefs = "/sys/kernel/tracing";  // as supervisor::SupervisorOptions has it
  std::string credential_folder = "/run/credstore";
  std::map<std::string, std::string> env;  // for every unit that is started from now on
  std::map<std::string, std::string> secrets;  // become credentials that LoadCredential= finds by name
  std::vector<std::string> overridden;  // services that the host wants changed: that is not for a machine with systemd
  LastWordsPaths words = {};
};

/// What the unit's own file says to us.
struct UnitWishes {
  bool adopt = true, essential = true;
  std::string ready = {}, ready_timeout = {};  // as written: unit_probes.hpp
  friend bool operator==(const UnitWishes&, const UnitWishes&) = default;
};
UnitWishes parse_wishes(std::string_view unit_file);

class Units final : public supervisor::ServiceRunner {
public:
  Units(EventLoop& loop, ReportSink& sink, process::Launcher& launcher, process::Reaper& reaper, UnitsOptions options);
  Units(const Units&) = delete;
  Units& operator=(const Units&) = delete;
  ~Units() override = default;

  void start(supervisor::SupervisorEvents events);
  /// Ends the machine in order: systemd stops every unit, and then us.
  void end_machine(protocol::ByeReport::Kind kind);
  /// The machine is being ended, as the units that are started now tell.
  std::optional<protocol::ByeReport::Kind> ending() const { return ending_; }
  /// From the drop-in that systemd runs when a unit fails.
  void unit_failed(const std::string& unit, const std::string& result);
  /// The last that it wrote, all its runs of this boot.
  void fetch_output(const ServiceName& name, std::function<void(Result<supervisor::ServiceOutput>)> done);

  void stop_all(std::chrono::milliseconds grace, std::function<void()> on_done) override;
  Result<void> request(const ServiceName& name, supervisor::ServiceAction action) override;
  Result<void> signal(const ServiceName& name, int number) override;
  void other_died(const process::ProcessEnd& end) override;
  Result<supervisor::ServiceOutput> output(const ServiceName& name) const override;
  std::string service_of(pid_t pid) const override;
  std::vector<protocol::ServiceReport> services() const override;

private:
  void connect();
  void lost(const std::string& why);
  void read_everything();
  void load_target(const std::string& unit, int depth);
  void load_service(const std::string& unit, const std::string& target);
  void take_service(const std::string& unit, const std::string& target, Result<UnitFacts> facts);
  void loaded();
  void watch_rescue(const std::string& unit);
  AdoptedUnit& adopt(const std::string& unit, AdoptedUnit::Kind kind, bool essential);
  void take_change(const std::string& path, dbus::BodyReader& properties, bool is_last);
  void job_new(const std::string& unit);
  void job_removed(const std::string& unit, const std::string& result);
  void tell_rescue();
  void evaluate_soon();
  void evaluate();
  void look_for_blocked(MonoUs now);
  void look_at(AdoptedUnit& unit);
  AdoptedUnit* find(const std::string& unit) const;
  Result<AdoptedUnit*> find_named(const ServiceName& name) const;
  void keep_secrets();
  std::string name_process(pid_t pid) const;

  EventLoop& loop_;
  ReportSink& sink_;
  UnitsOptions options_;
  LastWords words_;
  readiness::ListenerWatch listeners_;
  readiness::ProbeTools tools_;
  UnitContext context_;
  supervisor::SupervisorEvents events_;
  std::unique_ptr<ManagerBus> bus_;
  bool is_connected_ = false;
  std::chrono::milliseconds retry_{100};
  std::vector<std::unique_ptr<AdoptedUnit>> units_;  // in the order of their adoption
  std::map<std::string, AdoptedUnit*> by_path_;
  std::map<std::string, UnitFacts> rescue_;  // emergency.target and its like, by object path
  std::vector<std::string> failed_jobs_;  // "NAME: RESULT", the last few
  std::string default_target_;
  int loading_ = 0;
  bool all_known_ = false, news_ = true;
  std::map<std::string, bool> failures_told_;
  std::optional<protocol::ByeReport::Kind> ending_;
  MonoUs moved_us_ = 0;  // when the queue of jobs last changed
  std::uint64_t orphan_crashes_ = 0;
  LoopToken evaluation_, blocked_timer_, retry_timer_;
};

}  // namespace vigil::guest::systemd

// What is known of one VM: the fold of its events. A plain value; nothing in it is asked of the system.
//
// Shape:  VmState = the instance plus its current (or last) run. Earlier runs: replay the events of that run alone (replay_run).
// Bounds: at most max_services services, 64 crashes, 64 findings, 32 refused links and lost links counted; what is over is counted in `dropped_evidence`.
// Source: CONTRACTS "Identity", "States", "Stages and deadlines".
#pragma once

#include "host/machine/vm_event.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::machine {

enum class StageProgress { pending, active, done, failed };

/// One boot stage, timed by both sides. A stage that only later evidence implies is done without times of its own.
struct StageRecord {
  StageProgress progress = StageProgress::pending;
  std::optional<MonoUs> guest_us;               // guest clock, when done (or failed)
  std::optional<UnixUs> host_unix_us;
  std::optional<MonoUs> host_mono_us;
  std::string detail;                           // what it waits for, or what was found
  std::optional<protocol::Cause> cause;         // when failed
  friend bool operator==(const StageRecord&, const StageRecord&) = default;
};

struct ServiceRecord {
  protocol::ServiceReport report;
  bool partial = false;                         // known from the console alone
  bool while_stopping = false;                  // said after a stop was asked for: its failure is no failure of the VM
  BootId boot;                                  // identity of the report, so that an older one never overrides it
  Seq seq = 0;
  UnixUs at_unix_us = 0;
  std::optional<UnixUs> first_ready_unix_us;
  std::optional<MonoUs> first_ready_mono_us;    // host clock
  friend bool operator==(const ServiceRecord&, const ServiceRecord&) = default;
};

struct CrashRecord {
  EventSeq seq = 0;
  UnixUs at_unix_us = 0;
  bool partial = false;
  protocol::CrashReport report;
  std::optional<protocol::CrashTrace> trace;
  friend bool operator==(const CrashRecord&, const CrashRecord&) = default;
};

struct FindingRecord {
  UnixUs at_unix_us = 0;
  MonoUs mono_us = 0;
  ConsoleFinding finding;
  bool after_ready = false;                     // else it happened while booting
  bool taken_back = false;                      // a panic after which the guest spoke on: it was only printed
  friend bool operator==(const FindingRecord&, const FindingRecord&) = default;
};

/// A boot stage whose deadline passed without evidence of it; taken back when the evidence comes late.
struct MissedStage {
  protocol::Stage stage = protocol::Stage::kernel;
  std::string waiting_for;
  UnixUs at_unix_us = 0;
  friend bool operator==(const MissedStage&, const MissedStage&) = default;
};

struct StopRecord {
  StopRequested request;
  UnixUs at_unix_us = 0;
  bool kill_sent = false;                       // asked for at once, or after the grace
  friend bool operator==(const StopRecord&, const StopRecord&) = default;
};

struct ByeRecord {
  protocol::ByeReport report;
  UnixUs at_unix_us = 0;
  friend bool operator==(const ByeRecord&, const ByeRecord&) = default;
};

/// How the run ended, as the host saw it.
struct EndRecord {
  UnixUs at_unix_us = 0;
  std::optional<protocol::ExitStatus> exit;     // nullopt: no VMM ever lived
  std::string reason;                           // QMP's
  std::vector<std::string> last_words{};        // the VMM's own, on stderr
  friend bool operator==(const EndRecord&, const EndRecord&) = default;
};

struct TimedCause {
  UnixUs at_unix_us = 0;
  protocol::Cause cause;
  friend bool operator==(const TimedCause&, const TimedCause&) = default;
};

struct Run {
  RunNumber number;
  std::string actor;                            // who started it
  UnixUs started_unix_us = 0;
  MonoUs started_mono_us = 0;
  std::optional<protocol::Accelerator> accelerator;
  std::optional<VmmStarted> vmm;
  std::array<StageRecord, std::size(protocol::all_stages)> stages;   // by Stage
  std::map<ServiceName, ServiceRecord> services;
  std::vector<CrashRecord> crashes;
  std::vector<FindingRecord> findings;
  std::vector<TimedCause> health;               // the causes of the newest health report
  std::optional<protocol::HealthReport> vitals; // the newest whole one; its causes are in `health`
  std::vector<protocol::ListeningPort> listeners;   // TCP ports in the guest, as it told last
  std::vector<TimedCause> link_causes;          // flood, protocol errors, refused links
  std::uint64_t egress_refused = 0;             // connections that were not let out, or did not get through
  std::vector<TimedCause> egress_causes;        // why; one of each kind and destination, the newest of them
  std::map<std::string, TimedCause> signin_failures;   // by provider: how the newest sign-in to it ended, when it failed
  std::vector<TimedCause> device_causes;        // vmm.device_died
  std::optional<UnixUs> vmm_halted;             // since when the VMM's process is stopped by a signal
  bool console_heard = false;                   // the console has said something that we understood
  std::optional<MissedStage> missed;
  std::optional<TimedCause> start_failed;
  std::optional<LinkUp> link;                   // the newest link, up or not
  bool link_is_up = false;
  std::uint32_t links_lost = 0;
  std::optional<UnixUs> link_lost_unix_us;
  std::optional<ClockSynced> clock;             // the best (smallest round trip) so far
  bool all_services_known = false;              // the guest said that it has started them all: without it nothing is ready
  std::optional<UnixUs> ready_unix_us;          // first
  std::optional<MonoUs> ready_mono_us;
  bool ready_unauthenticated = false;           // known from the console alone
  std::optional<StopRecord> stop;
  std::optional<ByeRecord> bye;
  bool link_overdue = false;                    // first signal of an unresponsive guest
  bool console_overdue = false;                 // second
  std::optional<PulseTaken> pulse;              // the last look at a guest that does not answer; cleared when it is heard again
  std::optional<UnixUs> pulse_since_unix_us;    // when it was looked at for the first time
  std::optional<EndRecord> end;
  std::optional<protocol::Outcome> outcome;     // fixed with the announcement of the end
  std::uint64_t dropped_evidence = 0;
  std::uint64_t reports_dropped = 0;            // by the guest, as it said itself
  std::uint64_t log_bytes_lost = 0;             // of its services' output
  friend bool operator==(const Run&, const Run&) = default;
};

/// A VM that rebooted this often in a row without becoming ready is not started again: boot.reboot_loop.
inline constexpr std::uint32_t max_unready_reboots = 5;

/// Ready for so long, a run has stood: its end is no repetition of a failure, and the restart policy begins anew.
inline constexpr std::chrono::seconds steady_after{60};

/// More holds at a time are not taken.
inline constexpr std::size_t max_holds = 64;

struct VmState {
  InstanceId id;
  InstanceSpec spec;
  UnixUs created_unix_us = 0;
  bool removed = false;
  EventSeq last_seq = 0;                        // newest event folded in
  std::optional<Run> run;                       // nullopt: never started
  std::uint32_t unready_reboots = 0;            // runs in a row that ended without having been ready
  std::uint32_t unsteady_runs = 0;              // runs in a row that failed, and had not been ready for steady_after
  std::optional<RestartsEnded> restarts_ended;  // the policy has said that it gave up
  std::map<std::string, MonoUs> deadlines;      // armed now, by name
  std::map<std::string, HoldSet> holds;         // by holder; those whose time is past may still be here
  std::optional<LeaseSet> lease;                // of this run, when somebody has set it
  std::optional<PolicyPaused> policy_paused;
  std::map<std::string, PolicyDecided> decided; // by rule, what was told last; of this run
  std::optional<StateChanged> announced;        // of this run
  std::uint64_t stray_events = 0;               // of another run, or after the end: recorded, but without effect
  friend bool operator==(const VmState&, const VmState&) = default;
};

}  // namespace vigil::machine

namespace vigil {
template <> inline constexpr auto enum_table<machine::StageProgress> = make_enum_table<machine::StageProgress>({
    {machine::StageProgress::pending, "pending"}, {machine::StageProgress::active, "active"}, {machine::StageProgress::done, "done"},
    {machine::StageProgress::failed, "failed"}});
}  // namespace vigil

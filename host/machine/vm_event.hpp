// Everything that can happen to a VM, one struct each; the recorded list of them is the truth, all else is derived from it.
//
// Shape:  VmEvent is the envelope (who, which run, when on the host), its body says what. Events of one instance are totally ordered by seq.
// Units:  at_unix_us wall time of the host, mono_us the host's CLOCK_BOOTTIME; a Report inside carries the guest's own clock.
// Source: CONTRACTS "States", "Stages and deadlines"; the texts are the `type` of stored and served events.
#pragma once

#include "host/machine/console_finding.hpp"
#include "host/machine/instance_spec.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"
#include "shared/protocol/report.hpp"
#include "shared/protocol/state.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::machine {

using EventSeq = std::uint64_t;                 // global over all instances, from 1; 0 = not stored yet

struct Created { InstanceSpec spec; friend bool operator==(const Created&, const Created&) = default; };

/// Opens the run whose number stands in the envelope.
struct StartRequested {
  std::string actor;
  std::optional<protocol::Accelerator> accelerator;   // the one that will be tried, when it is known already
  friend bool operator==(const StartRequested&, const StartRequested&) = default;
};

struct VmmStarted {
  protocol::Accelerator accelerator = protocol::Accelerator::tcg;
  std::string why;                              // why this accelerator
  std::string vmm, vmm_version;                 // "qemu", "7.2.22"
  std::int64_t vmm_pid = 0, shim_pid = 0, device_pid = 0;
  std::uint32_t cid = 0;
  friend bool operator==(const VmmStarted&, const VmmStarted&) = default;
};

/// Ends the run before a VMM lived.
struct StartFailed { protocol::Cause cause; friend bool operator==(const StartFailed&, const StartFailed&) = default; };

struct LinkUp {
  BootId boot;
  Epoch epoch = 0;
  std::string phase;                            // "initrd" or "init"
  std::string agent_version, build_id, image_digest, kernel;
  Seq first_unacked = 1;
  friend bool operator==(const LinkUp&, const LinkUp&) = default;
};

/// `cause` when the host closed it: link.flood, link.protocol.
struct LinkLost {
  std::string reason;
  std::optional<protocol::Cause> cause;
  friend bool operator==(const LinkLost&, const LinkLost&) = default;
};

struct LinkRefused { std::string reason; friend bool operator==(const LinkRefused&, const LinkRefused&) = default; };

/// Something in the VM wanted to go out and was not let, or did not get through. Told at most every few seconds for the same cause; `count`: since it was last told.
struct EgressRefused {
  protocol::Cause cause;
  std::uint64_t count = 1;
  friend bool operator==(const EgressRefused&, const EgressRefused&) = default;
};

/// host clock = guest clock + offset_us, measured by a ping whose round trip was rtt_us.
struct ClockSynced {
  std::int64_t offset_us = 0;
  std::uint64_t rtt_us = 0;
  friend bool operator==(const ClockSynced&, const ClockSynced&) = default;
};

enum class Channel { link, console };

/// A guest's report. Its event type is the report's own type. A console digest is partial, and its boot may be known by 8 hex digits only.
struct Reported {
  protocol::Report report;
  Channel channel = Channel::link;
  bool partial = false;
  EventSeq replaces = 0;                        // the partial event that this full report replaces; the store fills it in
  friend bool operator==(const Reported&, const Reported&) = default;
};

/// A deadline that an ArmDeadline effect armed, by its name.
struct DeadlinePassed { std::string name; friend bool operator==(const DeadlinePassed&, const DeadlinePassed&) = default; };

enum class StopKind { stop, kill, reboot };

struct StopRequested {
  StopKind kind = StopKind::stop;
  std::chrono::milliseconds grace{10'000};
  std::string actor;
  friend bool operator==(const StopRequested&, const StopRequested&) = default;
};

/// The VMM's end. Submit it only when the console and the link were read to their ends: it closes the run for good.
struct VmmExited {
  protocol::ExitStatus exit = protocol::ExitUnknown{};
  std::string reason;                           // QMP's SHUTDOWN reason: "guest-shutdown", "guest-reset", "guest-panic", ...; empty: none seen
  UnixUs ended_unix_us = 0;                     // as the shim saw it
  std::uint64_t user_us = 0, system_us = 0, max_rss_kib = 0;
  std::vector<std::string> last_words{};        // the end of vmm.log, at most 8 lines: what the VMM itself said on stderr
  friend bool operator==(const VmmExited&, const VmmExited&) = default;
};

struct DeviceExited {
  std::string device;                           // "vhost-device-vsock"
  protocol::ExitStatus exit = protocol::ExitUnknown{};
  friend bool operator==(const DeviceExited&, const DeviceExited&) = default;
};

/// The VMM's process was stopped by a signal (SIGSTOP), or goes on again. Nothing runs in the guest meanwhile.
struct VmmHalted {
  bool halted = true;
  friend bool operator==(const VmmHalted&, const VmmHalted&) = default;
};

/// The shim is gone without having recorded the VMM's end: how the VMM ended cannot be known. Closes the run.
struct ShimLost { std::string reason; friend bool operator==(const ShimLost&, const ShimLost&) = default; };

/// A restarted daemon has found the run's shim alive. Links have to be made anew.
struct Adopted { std::int64_t shim_pid = 0; friend bool operator==(const Adopted&, const Adopted&) = default; };

/// Output of services that is in no log of ours: the guest wrote faster than it was read, or the disk refused it. Told at most once a minute.
struct LogsLost {
  std::string service;                          // empty: of several
  std::uint64_t bytes = 0;
  std::string reason;                           // "guest", "rate", "disk", "services"
  friend bool operator==(const LogsLost&, const LogsLost&) = default;
};

/// Something that has no owner was found by the look at processes, directories and groups, and this was done with it. Of no instance when no row knows its owner.
struct Reconciled {
  std::string what;                             // "process", "run_directory", "instance_directory", "draft", "group", "set_aside"
  std::string subject;                          // its path, or "pid N (what it is)"
  std::string action;                           // "ended", "killed", "removed", "set_aside", "archived"
  std::string reason;
  friend bool operator==(const Reconciled&, const Reconciled&) = default;
};

/// The restart policy has given up: that many runs in a row ended without having been ready. A start by hand begins anew.
struct RestartsEnded {
  std::uint32_t count = 0;
  RunNumber first_run;
  friend bool operator==(const RestartsEnded&, const RestartsEnded&) = default;
};

/// The host looked at a guest that does not answer: what it and its VMM did meanwhile. Figures, not a judgement (host/machine/pulse.hpp judges).
struct PulseTaken {
  bool answers = false;                         // it answers again: the other members tell nothing
  std::uint64_t pings = 0;                      // unanswered, over an open link; 0: there is no link
  std::uint64_t silent_ms = 0;                  // nothing has come over the link
  std::uint64_t console_silent_ms = 0;          // nor over the console, not a byte
  std::uint64_t span_ms = 0;                    // of the next two figures
  std::uint64_t ran_ms = 0, waited_ms = 0;      // the busiest thread of the VMM: had a processor, waited for one
  std::string vmm_process, device_process;      // the kernel's letter for their state: "S", "R", "T", ...; empty: gone or not known
  std::optional<std::uint64_t> host_busy_percent;   // share of the last ten seconds in which something on the host waited for a processor
  std::string vmm_status;                       // the VMM's own word: "running"; empty: it did not answer
  std::uint64_t looks_stuck = 0;                // looks in a row at which every virtual processor had interrupts off and stood where it had stood before
  std::string processors;                       // where they are: "CPU 0 at ffffffffc0401008, interrupts off"
  friend bool operator==(const PulseTaken&, const PulseTaken&) = default;
};

/// A boot of the guest has shown that it has the token of its link: from now on every hello of this boot must carry it. The token itself is nowhere.
struct TokenBound {
  BootId boot;
  std::string sha256;                           // of the token, in hex
  friend bool operator==(const TokenBound&, const TokenBound&) = default;
};

/// A crash report that an earlier boot had told already came once more, under a number of this boot: the number is known, the report is not stored twice.
struct ReportRepeated {
  BootId boot;
  Epoch epoch = 0;
  Seq seq = 0;
  BootId origin_boot;
  Seq origin_seq = 0;
  friend bool operator==(const ReportRepeated&, const ReportRepeated&) = default;
};

/// Derived, recorded so that subscribers see it and so that an outcome never changes later; made by verdict::announcement().
struct StateChanged {
  protocol::RunState state = protocol::RunState::stopped;
  protocol::Power power = protocol::Power::stopped;
  protocol::Liveness liveness = protocol::Liveness::ok;
  std::optional<protocol::Outcome> outcome;     // once the run has ended
  std::optional<protocol::Cause> cause;
  std::string service;                          // the cause's service, or empty
  friend bool operator==(const StateChanged&, const StateChanged&) = default;
};

/// Somebody needs the VM until then, and no policy ends it before. A time that is past ends the hold.
struct HoldSet {
  std::string holder;
  UnixUs until_unix_us = 0;
  std::string actor;
  friend bool operator==(const HoldSet&, const HoldSet&) = default;
};

/// The lease of the run that is going on ends then.
struct LeaseSet {
  UnixUs until_unix_us = 0;
  std::string actor;
  friend bool operator==(const LeaseSet&, const LeaseSet&) = default;
};

/// No policy acts until then. 0: they go on.
struct PolicyPaused {
  UnixUs until_unix_us = 0;
  std::string actor;
  friend bool operator==(const PolicyPaused&, const PolicyPaused&) = default;
};

/// What a policy decided (host/policy): told when it is due, and whenever the verdict changes after that.
struct PolicyDecided {
  std::string rule, action, verdict, why;       // "idle", "stop", "acts", "nobody has used it for 1800 s"
  UnixUs due_unix_us = 0;
  std::map<std::string, std::int64_t> inputs, thresholds;
  std::vector<std::string> holders{};           // "exec /bin/sh", "hold alice"
  friend bool operator==(const PolicyDecided&, const PolicyDecided&) = default;
};

struct Removed { std::string actor; friend bool operator==(const Removed&, const Removed&) = default; };

using EventBody =
    std::variant<Created, StartRequested, VmmStarted, StartFailed, LinkUp, LinkLost, LinkRefused, EgressRefused, ClockSynced, ConsoleFinding, Reported,
                 DeadlinePassed, StopRequested, VmmExited, DeviceExited, VmmHalted, ShimLost, Adopted, StateChanged, Removed, LogsLost, Reconciled,
                 RestartsEnded, PulseTaken, HoldSet, LeaseSet, PolicyPaused, PolicyDecided, TokenBound, ReportRepeated>;

struct VmEvent {
  EventSeq seq = 0;
  InstanceId instance;
  RunNumber run;                                // 0: of no run
  UnixUs at_unix_us = 0;
  MonoUs mono_us = 0;
  EventBody body;
  friend bool operator==(const VmEvent&, const VmEvent&) = default;
};

/// "created", "vmm_exited", "state", ...; for a Reported its report's type. A guest's unknown report type that poses as one of the host's reads "other".
std::string event_type(const EventBody& body);

}  // namespace vigil::machine

namespace vigil {
template <> inline constexpr auto enum_table<machine::Channel> = make_enum_table<machine::Channel>({
    {machine::Channel::link, "link"}, {machine::Channel::console, "console"}});
template <> inline constexpr auto enum_table<machine::StopKind> = make_enum_table<machine::StopKind>({
    {machine::StopKind::stop, "stop"}, {machine::StopKind::kill, "kill"}, {machine::StopKind::reboot, "reboot"}});
}  // namespace vigil

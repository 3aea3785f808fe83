// What the guest reports: one struct a report type, each numbered by the outbox and kept until the host has committed it.
//
// Shape:  plain values; the struct that a guest feature fills is the struct that the host stores and serves.
// Units:  *_us microseconds of the guest's CLOCK_BOOTTIME, *_unix_us wall time, *_kib KiB, bytes where no unit is said.
// Source: CONTRACTS "Control link". JSON member names are the member names here; bytes from outside our control are base64 in NAME_b64.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"
#include "shared/protocol/cause.hpp"
#include "shared/protocol/state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::protocol {

using vigil::to_text;   // the overload below must not hide the enums' one

/// A boot stage begins, is done, or failed (then with its cause). One `done` a stage and boot.
struct StageReport {
  enum class Phase { begin, done, failed };
  Stage stage = Stage::initrd;
  Phase phase = Phase::begin;
  std::string detail;                 // what it waits for or what was found; at most 256 bytes
  std::optional<Cause> cause;         // when failed
  friend bool operator==(const StageReport&, const StageReport&) = default;
};

struct ProbeResult {
  std::string probe;                  // "http:8080", "tcp:7000", "notify-fd", "file:/run/x": kind and subject
  bool passed = false;
  std::optional<MonoUs> passed_us;    // when it first passed in this start
  friend bool operator==(const ProbeResult&, const ProbeResult&) = default;
};

/// The whole state of one service, on every change of it.
struct ServiceReport {
  ServiceName name;
  ServiceState state = ServiceState::waiting;
  bool essential = true;
  std::int64_t pid = 0;               // 0: no process
  std::uint32_t restarts = 0;         // since boot
  MonoUs since_us = 0;                // when this state was entered
  std::vector<ProbeResult> probes;
  std::vector<std::string> waits_for; // names of services, while waiting
  std::optional<Cause> cause;         // why it is failed, backoff, unready or waiting
  std::uint32_t collapsed = 0;        // earlier reports of this service that this one replaced in a full outbox
  friend bool operator==(const ServiceReport&, const ServiceReport&) = default;
};

/// Exit status is one of code, signal, or unknown with the reason.
struct ExitCode { std::int32_t code = 0; friend bool operator==(const ExitCode&, const ExitCode&) = default; };
struct ExitSignal { std::int32_t signal = 0; bool core = false; friend bool operator==(const ExitSignal&, const ExitSignal&) = default; };
struct ExitUnknown { std::string reason; friend bool operator==(const ExitUnknown&, const ExitUnknown&) = default; };
using ExitStatus = std::variant<ExitCode, ExitSignal, ExitUnknown>;

std::string signal_name(int signal);            // "SIGSEGV"; "SIG42" when it has no name
std::optional<int> signal_number(std::string_view name);   // of "SIGSEGV"; nullopt: there is none of that name
std::string to_text(const ExitStatus& status);  // "code 1", "SIGSEGV", "unknown (lost)"

struct OomEvidence {
  std::uint64_t limit_bytes = 0;
  std::uint64_t peak_bytes = 0;
  std::string victim;                 // "name (pid N)"
  std::uint64_t kills = 0;
  friend bool operator==(const OomEvidence&, const OomEvidence&) = default;
};

/// What only /proc of a living process tells: read by the core helper while the kernel held the victim.
struct VictimFacts {
  std::string executable, command_line, directory;   // words of the command line are parted by blanks
  std::uint32_t uid = 0, gid = 0, threads = 0, descriptors = 0, mappings = 0;
  std::uint64_t resident_kib = 0, peak_kib = 0;
  friend bool operator==(const VictimFacts&, const VictimFacts&) = default;
};

/// A process that died and should not have (or that is reported because it is a service): sent at once.
struct CrashReport {
  std::string crash;                  // id of this crash, unique within the boot: "<service>-<n>"
  std::string service;                // empty: not a service's process (an orphan, the agent)
  std::string process;                // comm
  std::int64_t pid = 0;
  ExitStatus exit = ExitUnknown{};
  Cause cause;
  MonoUs started_us = 0;
  MonoUs ended_us = 0;
  std::uint64_t user_us = 0, system_us = 0, max_rss_kib = 0;
  std::uint32_t restarts = 0;         // of the service before this death
  bool will_restart = false;
  std::string stdout_tail, stderr_tail;          // bytes, at most 64 KiB each; base64 on the wire
  std::uint64_t stdout_lost = 0, stderr_lost = 0;  // bytes before the tails
  std::optional<OomEvidence> oom;
  std::optional<VictimFacts> victim;  // when the kernel dumped its core
  std::optional<std::pair<BootId, Seq>> origin;  // kept on disk and sent by a later boot
  friend bool operator==(const CrashReport&, const CrashReport&) = default;
};

struct TraceFrame {
  std::string module, build_id, function;   // function: empty where the image has no symbol for it
  std::uint64_t offset = 0;           // within the module, as addr2line takes it; without a module the address
  friend bool operator==(const TraceFrame&, const TraceFrame&) = default;
};

struct TraceThread {
  std::int64_t tid = 0;
  std::string name;
  std::vector<TraceFrame> frames;     // innermost first, at most 32
  std::string cut;                    // why there are no more of them; empty: these are all
  friend bool operator==(const TraceThread&, const TraceThread&) = default;
};

/// Later, under the same crash id: what the core says.
struct CrashTrace {
  std::string crash;
  std::optional<std::uint64_t> fault_address;
  std::vector<TraceFrame> frames;     // of the crashing thread, innermost first, at most 64
  bool truncated = false;             // some thread's frames, or some threads, are left out
  std::string reason;                 // of the signal: "SEGV_MAPERR", "sent by pid 12"
  std::int64_t tid = 0;               // the crashing thread
  std::string thread, cut;            // its name; why there are no more frames
  std::vector<TraceThread> threads;   // the others, at most 63
  std::uint32_t threads_left_out = 0;
  friend bool operator==(const CrashTrace&, const CrashTrace&) = default;
};

/// The function to name: the innermost that is not of the C or C++ runtime, where abort() and memcpy() are never at fault; nullopt: none has a name.
std::optional<std::string> blamed_function(const CrashTrace& trace);

/// Shares of the last ten seconds, in thousandths, in which some (full: all) processes stalled for it. Source: Documentation/accounting/psi.rst.
struct Pressure {
  std::uint32_t cpu_permille = 0, memory_permille = 0, memory_full_permille = 0, io_permille = 0, io_full_permille = 0;
  friend bool operator==(const Pressure&, const Pressure&) = default;
};

struct FileSystemHealth {
  std::string mount;
  std::uint64_t total_kib = 0, available_kib = 0;
  std::uint64_t inodes = 0, inodes_available = 0;   // 0 of both: it does not count them
  friend bool operator==(const FileSystemHealth&, const FileSystemHealth&) = default;
};

struct ProcessHealth {
  std::int64_t pid = 0;
  std::string name;                   // comm
  std::string service;                // empty: of none
  std::uint32_t cpu_permille = 0;     // of one processor, since the last look
  std::uint64_t rss_kib = 0;
  friend bool operator==(const ProcessHealth&, const ProcessHealth&) = default;
};

/// A message of the kernel, of level error or worse.
struct KernelMessage {
  MonoUs at_us = 0;
  std::uint32_t level = 3;            // 0 emergency .. 3 error
  std::string text;
  friend bool operator==(const KernelMessage&, const KernelMessage&) = default;
};

/// How the machine is: every 5 s, and at once when a threshold is crossed either way.
struct HealthReport {
  std::uint64_t memory_total_kib = 0, memory_available_kib = 0;
  std::uint64_t root_total_kib = 0, root_available_kib = 0;
  std::uint32_t load1_permille = 0;
  std::uint32_t processes = 0;
  std::vector<Cause> causes;          // thresholds that are crossed now: guest.disk_full, guest.oom, ...
  std::uint64_t memory_peak_kib = 0;  // the most that was in use since the agent's start, as seen at its looks
  std::optional<Pressure> pressure;   // a kernel without it tells nothing
  std::vector<FileSystemHealth> file_systems;   // writable ones, "/" first
  std::vector<ProcessHealth> top;     // by processor time, then by memory
  std::vector<KernelMessage> kernel;  // since the last report
  std::uint64_t kernel_lost = 0;      // messages that came too fast or did not fit
  std::optional<std::int64_t> clock_offset_us;   // the guest's wall clock less the host's; absent before the host has told its own
  friend bool operator==(const HealthReport&, const HealthReport&) = default;
};

struct ListeningPort {
  std::string service, process;       // service empty: of none; process empty: its owner is not known
  std::int64_t pid = 0;
  std::string address;                // "127.0.0.1", "0.0.0.0", "::"
  std::uint16_t port = 0;
  friend bool operator==(const ListeningPort&, const ListeningPort&) = default;
};

/// Every TCP port that is listened on: the whole table, whenever it has changed.
struct NetReport {
  std::vector<ListeningPort> listeners;
  std::uint64_t left_out = 0;         // did not fit
  friend bool operator==(const NetReport&, const NetReport&) = default;
};

/// What is known of a credential that the guest holds for the host to take; never the credential.
struct SigninCredential {
  std::string schema, sha256;         // shared/signin
  std::uint64_t bytes = 0;
  friend bool operator==(const SigninCredential&, const SigninCredential&) = default;
};

/// A step of a sign-in of a user to a provider's CLI. Steps come in this order, each at most once; failed may come instead of any, and is then the last.
struct SigninReport {
  enum class Step { cli_started, url_found, browser_open, waiting_for_user, callback_seen, credential_found, failed };
  SigninSessionId session;            // as the host gave it: what it may say is decided by which VM it was given to
  std::string provider;               // a name of shared/signin's table
  Step step = Step::cli_started;
  std::string detail;                 // what was seen; at most 256 bytes
  std::string private_url;            // url_found: as the CLI printed it, at most 4096 bytes. For the session's user alone: see without_private()
  std::string cli_version;            // cli_started, when the CLI told it
  std::optional<SigninCredential> credential;   // credential_found
  std::optional<Cause> cause;         // failed
  std::string screen;                 // failed: the terminal's last lines, addresses and codes blotted out; at most 8 KiB; base64 on the wire
  friend bool operator==(const SigninReport&, const SigninReport&) = default;
};

/// What was collapsed or dropped, so that gaps in the numbers are explained.
struct DroppedReport {
  std::string kind;                   // type of what was dropped
  Seq first_seq = 0, last_seq = 0;
  std::uint64_t count = 0;
  friend bool operator==(const DroppedReport&, const DroppedReport&) = default;
};

/// The guest is about to end on purpose.
struct ByeReport {
  enum class Kind { poweroff, reboot };
  Kind kind = Kind::poweroff;
  std::string asked_by;               // "host", "signal SIGPWR", "pid 312 (poweroff)"
  bool host_asked = false;
  friend bool operator==(const ByeReport&, const ByeReport&) = default;
};

/// A type that this build does not know (receipt, or newer): its JSON is kept as text.
struct OtherReport {
  std::string type;
  std::string json;
  friend bool operator==(const OtherReport&, const OtherReport&) = default;
};

using ReportBody = std::variant<StageReport, ServiceReport, CrashReport, CrashTrace, HealthReport, NetReport, DroppedReport, ByeReport, SigninReport, OtherReport>;

/// "stage", "service", "crash", "crash_trace", "health", "net", "dropped", "bye", "signin", or the text of an OtherReport.
std::string report_type(const ReportBody& body);

/// The report as it may be kept beyond its session (archives, bundles, logs): without its private_ members.
ReportBody without_private(ReportBody body);

/// A numbered report as it travels.
struct Report {
  BootId boot;
  Epoch epoch = 0;
  Seq seq = 0;
  MonoUs mono_us = 0;                 // guest clock when it was queued
  ReportBody body;
  friend bool operator==(const Report&, const Report&) = default;
};

}  // namespace vigil::protocol

namespace vigil {
template <> inline constexpr auto enum_table<protocol::StageReport::Phase> = make_enum_table<protocol::StageReport::Phase>({
    {protocol::StageReport::Phase::begin, "begin"}, {protocol::StageReport::Phase::done, "done"}, {protocol::StageReport::Phase::failed, "failed"}});
template <> inline constexpr auto enum_table<protocol::ByeReport::Kind> = make_enum_table<protocol::ByeReport::Kind>({
    {protocol::ByeReport::Kind::poweroff, "poweroff"}, {protocol::ByeReport::Kind::reboot, "reboot"}});
template <> inline constexpr auto enum_table<protocol::SigninReport::Step> = make_enum_table<protocol::SigninReport::Step>({
    {protocol::SigninReport::Step::cli_started, "cli_started"}, {protocol::SigninReport::Step::url_found, "url_found"},
    {protocol::SigninReport::Step::browser_open, "browser_open"}, {protocol::SigninReport::Step::waiting_for_user, "waiting_for_user"},
    {protocol::SigninReport::Step::callback_seen, "callback_seen"}, {protocol::SigninReport::Step::credential_found, "credential_found"},
    {protocol::SigninReport::Step::failed, "failed"}});
}  // namespace vigil

#include "host/machine/derive.hpp"
#include "host/verdict/evidence.hpp"

#include <charconv>

namespace vigil::verdict {

using namespace protocol;
using machine::ConsoleFinding;
using machine::ConsoleKind;
using machine::FindingRecord;

namespace {

std::string captured(const ConsoleFinding& finding, const std::string& name, const std::string& otherwise) {
  const auto found = finding.captured.find(name);
  return found == finding.captured.end() || found->second.empty() ? otherwise : found->second;
}

std::string victim(const ConsoleFinding& finding) {
  return captured(finding, "task", "a process") + " (pid " + captured(finding, "pid", "?") + ")";
}

/// The kernel's exitcode is a wait status: the low 7 bits a signal, the next byte an exit code.
std::string wait_status(const std::string& hex) {
  unsigned value = 0;
  const auto parsed = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  if (parsed.ec != std::errc()) return "status " + hex;
  if ((value & 0x7f) != 0) return signal_name(static_cast<int>(value & 0x7f));
  return "code " + std::to_string((value >> 8) & 0xff);
}

const FindingRecord* find(const Run& run, ConsoleKind kind) {
  for (const auto& record : run.findings)
    if (record.finding.kind == kind && !record.taken_back) return &record;
  return nullptr;
}

/// Panics whose own words name the missing thing.
std::optional<Cause> missing_thing(const std::string& text) {
  constexpr std::string_view no_root = "VFS: Unable to mount root fs on ";
  if (text.starts_with(no_root)) return make_cause(CauseCode::boot_root_missing, {{"device", text.substr(no_root.size())}, {"seen", "see the console"}});
  if (text.starts_with("No working init found")) return make_cause(CauseCode::boot_init_missing, {{"path", "/init"}});
  return std::nullopt;
}

Cause cause_of_panic(const Run& run, const FindingRecord& record) {
  if (const auto* killed = find(run, ConsoleKind::init_killed)) {
    if (record.after_ready) return make_cause(CauseCode::guest_agent_crashed);
    return make_cause(CauseCode::boot_init_exited, {{"status", wait_status(captured(killed->finding, "exitcode", "?"))}});
  }
  const auto text = captured(record.finding, "text", record.finding.text);
  if (!record.after_ready) {
    if (auto missing = missing_thing(text)) return *missing;
    if (const auto* root = find(run, ConsoleKind::no_root))
      return make_cause(CauseCode::boot_root_missing, {{"device", captured(root->finding, "device", "?")}, {"seen", "see the console"}});
    if (const auto* init = find(run, ConsoleKind::no_init))
      return make_cause(CauseCode::boot_init_missing, {{"path", captured(init->finding, "path", "/init")}});
  }
  const auto code = record.after_ready ? CauseCode::guest_panic : CauseCode::boot_panic;
  return make_cause(code, {{"text", text}});
}

std::optional<Cause> cause_of(const ConsoleFinding& finding) {
  switch (finding.kind) {
    case ConsoleKind::oops:
    case ConsoleKind::bug: return make_cause(CauseCode::guest_oops, {{"text", finding.text}});
    case ConsoleKind::soft_lockup:
    case ConsoleKind::rcu_stall: return make_cause(CauseCode::guest_soft_lockup, {{"task", captured(finding, "task", "the kernel")}});
    case ConsoleKind::hung_task: return make_cause(CauseCode::guest_hung_task, {{"task", captured(finding, "task", "?")}});
    case ConsoleKind::oom_kill: return make_cause(CauseCode::guest_oom, {{"victim", victim(finding)}});
    case ConsoleKind::filesystem_error:
    case ConsoleKind::io_error: return make_cause(CauseCode::guest_filesystem_error, {{"device", captured(finding, "device", "?")}});
    case ConsoleKind::linux_version:
    case ConsoleKind::panic:                     // panic() above
    case ConsoleKind::init_killed:
    case ConsoleKind::no_root:
    case ConsoleKind::no_init:
    case ConsoleKind::memcg_oom_kill:            // the service's own crash report names it with its limit
    case ConsoleKind::segfault:
    case ConsoleKind::restarting:
    case ConsoleKind::suppressed: return std::nullopt;
  }
  return std::nullopt;
}

Finding with_lines(const FindingRecord& record, Cause cause) {
  const std::string first[] = {record.finding.text};
  add_evidence(cause, first);
  add_evidence(cause, record.finding.lines);
  return {std::move(cause), std::nullopt, record.at_unix_us};
}

}  // namespace

std::optional<Finding> panic(const Run& run) {
  const auto* record = machine::panic_finding(run);
  if (record == nullptr) return std::nullopt;
  return with_lines(*record, cause_of_panic(run, *record));
}

std::vector<Finding> kernel_findings(const Run& run) {
  std::vector<Finding> findings;
  for (const auto& record : run.findings)
    if (auto cause = cause_of(record.finding)) findings.push_back(with_lines(record, std::move(*cause)));
  return findings;
}

}  // namespace vigil::verdict

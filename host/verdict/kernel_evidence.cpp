#include "host/machine/derive.hpp"
#include "host/verdict/evidence.hpp"

#include <algorithm>
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

std::string init_asked_for(const std::string& kernel_args) {
  constexpr std::string_view key = "rdinit=";
  const auto padded = " " + kernel_args;
  const auto at = padded.rfind(" " + std::string(key));
  if (at == std::string::npos) return "/init";
  const auto value = padded.substr(at + 1 + key.size());
  return value.substr(0, value.find(' '));
}

/// Panics whose own words name the missing thing.
std::optional<Cause> missing_thing(const std::string& text) {
  constexpr std::string_view no_root = "VFS: Unable to mount root fs on ";
  const bool names_a_device =
      text.find("unknown-block(0,0)") == std::string::npos;   // else nobody asked for one, and the panic's own words are all there is
  if (text.starts_with(no_root) && names_a_device)
    return make_cause(CauseCode::boot_root_missing, {{"device", text.substr(no_root.size())}, {"seen", "see the console"}});
  if (text.starts_with("No working init found")) return make_cause(CauseCode::boot_init_missing, {{"path", "/init"}});
  return std::nullopt;
}

/// Vigil's command line names no root=, so a kernel that looks for one has found no init in its initramfs, or could not unpack it.
std::optional<Cause> lost_init(const VmState& state) {
  const Run& run = *state.run;
  if (const auto* damaged = find(run, ConsoleKind::initrd_failed)) {
    const auto reason = "the kernel cannot unpack it: " + captured(damaged->finding, "text", "it does not say why");
    return make_cause(CauseCode::boot_initrd_invalid, {{"path", "initrd of " + machine::image_reference(state.spec)}, {"reason", reason}},
                      {damaged->finding.text});
  }
  const auto* root = find(run, ConsoleKind::no_root);
  if (root == nullptr || !captured(root->finding, "device", "").empty()) return std::nullopt;
  return make_cause(CauseCode::boot_init_missing, {{"path", init_asked_for(state.spec.kernel_args)}}, {root->finding.text});
}

/// The kernel gave up because it could free no memory, and no service was there that could have taken it.
std::optional<Cause> too_little_memory(const VmState& state, const std::string& text) {
  if (text != "System is deadlocked on memory" && !text.starts_with("Out of memory")) return std::nullopt;
  return make_cause(CauseCode::boot_memory_too_small, {{"mib", std::int64_t{state.spec.memory_mib}}});
}

Cause cause_of_panic(const VmState& state, const FindingRecord& record) {
  const Run& run = *state.run;
  if (const auto* killed = find(run, ConsoleKind::init_killed)) {
    if (record.after_ready) return make_cause(CauseCode::guest_agent_crashed);
    return make_cause(CauseCode::boot_init_exited, {{"status", wait_status(captured(killed->finding, "exitcode", "?"))}});
  }
  const auto text = captured(record.finding, "text", record.finding.text);
  if (!record.after_ready) {
    if (auto lost = lost_init(state)) return *lost;
    if (auto small = too_little_memory(state, text); small && run.services.empty()) return *small;
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
    case ConsoleKind::initrd_failed:
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

std::optional<Finding> panic(const VmState& state) {
  const auto* record = machine::panic_finding(*state.run);
  if (record == nullptr) return std::nullopt;
  return with_lines(*record, cause_of_panic(state, *record));
}

std::vector<Finding> kernel_findings(const Run& run) {
  std::vector<Finding> findings;
  for (const auto& record : run.findings) {
    auto cause = cause_of(record.finding);
    if (!cause) continue;
    auto found = with_lines(record, std::move(*cause));
    const auto same = std::find_if(findings.begin(), findings.end(), [&](const Finding& each) {
      return each.cause.text == found.cause.text && each.cause.fields == found.cause.fields;
    });
    if (same == findings.end())
      findings.push_back(std::move(found));
    else
      add_evidence(same->cause, found.cause.evidence);   // "Remounting filesystem read-only" behind the error that led to it
  }
  return findings;
}

}  // namespace vigil::verdict

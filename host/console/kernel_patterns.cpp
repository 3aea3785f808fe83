#include "host/console/kernel_patterns.hpp"

#include <algorithm>
#include <array>

namespace vigil::console {

using machine::ConsoleKind;

namespace {

// Where a wording changed, each one has its row: the numbers are the kernel versions that print it.
constexpr KernelPattern rows[] = {
    {ConsoleKind::linux_version, "^Linux version {version} ", false},
    // A panic's own line says what killed init or hid the root; those rows stand before the general one.
    {ConsoleKind::init_killed, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x{exitcode:x}", true},
    {ConsoleKind::panic, "Kernel panic - not syncing: {text}", true},
    {ConsoleKind::no_root, "VFS: Cannot open root device \"{device}\"", false},
    {ConsoleKind::no_root, "VFS: Cannot open root device {device} ", false},
    {ConsoleKind::no_root, "VFS: Unable to mount root fs on {device}", false},
    {ConsoleKind::no_init, "Requested init {path} failed (error {error})", false},
    {ConsoleKind::no_init, "Failed to execute {path} (error {error})", false},
    {ConsoleKind::no_init, "No working init found", false},
    {ConsoleKind::initrd_failed, "Initramfs unpacking failed: {text}", false},
    {ConsoleKind::bug, "BUG: kernel NULL pointer dereference, address: {address}", true},
    {ConsoleKind::bug, "BUG: unable to handle page fault for address: {address}", true},
    {ConsoleKind::bug, "BUG: unable to handle kernel {text}", true},
    {ConsoleKind::bug, "kernel BUG at {place}!", true},
    {ConsoleKind::soft_lockup, "BUG: soft lockup - CPU#{cpu} stuck for {seconds}s! [{task}:{pid:d}]", true},
    {ConsoleKind::soft_lockup, "hard LOCKUP on cpu {cpu}", true},
    {ConsoleKind::oops, "^Oops: {text} [#{number:d}]", true},                          // 6.10 on: "Oops: Oops: 0002 [#1]", before: "Oops: 0000 [#1]"
    {ConsoleKind::oops, "^general protection fault{text} [#{number:d}]", true},        // to 6.9
    {ConsoleKind::oops, "^divide error: {text} [#{number:d}]", true},
    {ConsoleKind::oops, "^invalid opcode: {text} [#{number:d}]", true},
    {ConsoleKind::oops, "^stack segment: {text} [#{number:d}]", true},
    {ConsoleKind::oops, "Internal error: Oops: {text} [#{number:d}]", true},           // arm64
    {ConsoleKind::hung_task, "INFO: task {task}:{pid:d} blocked for more than {seconds:d} seconds.", true},
    {ConsoleKind::hung_task, "INFO: task {task}:{pid:d} is blocked{text} for more than {seconds:d} seconds.", true},
    {ConsoleKind::rcu_stall, "INFO: rcu_{flavour} self-detected stall", true},
    {ConsoleKind::rcu_stall, "INFO: rcu_{flavour} detected stalls", true},
    {ConsoleKind::rcu_stall, "INFO: rcu_{flavour} detected expedited stalls", true},
    {ConsoleKind::memcg_oom_kill, "Memory cgroup out of memory: Killed process {pid:d} ({task})", false},
    {ConsoleKind::oom_kill, "Out of memory: Killed process {pid:d} ({task})", false},
    {ConsoleKind::oom_kill, "Out of memory (oom_kill_allocating_task): Killed process {pid:d} ({task})", false},
    {ConsoleKind::filesystem_error, "EXT4-fs error (device {device})", false},
    {ConsoleKind::filesystem_error, "EXT4-fs ({device}): Remounting filesystem read-only", false},
    {ConsoleKind::io_error, "I/O error, dev {device}, sector {sector:d}", false},
    {ConsoleKind::io_error, "Buffer I/O error on dev {device},", false},
    {ConsoleKind::segfault, "^{task}[{pid:d}]: segfault at {address:x} ip {ip:x} ", false},
    {ConsoleKind::segfault, "^traps: {task}[{pid:d}] {text} ip:{ip:x} ", false},
    {ConsoleKind::restarting, "^reboot: {text}", false},
};

bool is_of(char each, std::string_view kind) {
  const bool digit = each >= '0' && each <= '9';
  if (kind == "d") return digit;
  if (kind == "x") return digit || (each >= 'a' && each <= 'f') || (each >= 'A' && each <= 'F');
  return true;
}

struct Piece {
  std::string_view literal;                      // comes first
  std::string_view name;                         // empty: the pattern ends with the literal
  std::string_view kind;                         // "d", "x", or empty for anything
};

/// Cuts the next "literal{name:kind}" off the pattern.
Piece next_piece(std::string_view& pattern) {
  const auto open = pattern.find('{');
  if (open == std::string_view::npos) {
    const Piece last{pattern, {}, {}};
    pattern = {};
    return last;
  }
  const auto close = pattern.find('}', open);
  auto name = pattern.substr(open + 1, close - open - 1);
  const auto colon = name.find(':');
  const auto kind = colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1);
  const Piece piece{pattern.substr(0, open), name.substr(0, colon), kind};
  pattern.remove_prefix(close + 1);
  return piece;
}

using Captured = std::map<std::string, std::string>;

bool match_at(std::string_view pattern, std::string_view text, Captured& captured);

/// The shortest capture behind which the rest fits.
bool match_capture(const Piece& piece, std::string_view rest, std::string_view text, Captured& captured) {
  if (rest.empty()) {                            // the last capture takes all that is of its kind
    const auto end = std::find_if(text.begin(), text.end(), [&](char each) { return !is_of(each, piece.kind); });
    if (end == text.begin()) return false;
    captured[std::string(piece.name)] = std::string(text.begin(), end);
    return true;
  }
  for (std::size_t length = 0; length <= text.size(); ++length) {
    if (length > 0 && !is_of(text[length - 1], piece.kind)) return false;
    const bool may_be_empty = piece.kind.empty();
    if (length == 0 && !may_be_empty) continue;
    if (rest.front() != '{' && (length == text.size() || text[length] != rest.front())) continue;
    if (!match_at(rest, text.substr(length), captured)) continue;
    captured[std::string(piece.name)] = std::string(text.substr(0, length));
    return true;
  }
  return false;
}

bool match_at(std::string_view pattern, std::string_view text, Captured& captured) {
  if (pattern.empty()) return true;
  const auto piece = next_piece(pattern);
  if (!text.starts_with(piece.literal)) return false;
  text.remove_prefix(piece.literal.size());
  if (piece.name.empty()) return true;
  return match_capture(piece, pattern, text, captured);
}

bool matches(std::string_view pattern, std::string_view text, Captured& captured) {
  if (pattern.starts_with('^')) return match_at(pattern.substr(1), text, captured);
  const auto literal = pattern.substr(0, pattern.find('{'));
  for (auto at = text.find(literal); at != std::string_view::npos; at = text.find(literal, at + 1))
    if (match_at(pattern, text.substr(at), captured)) return true;
  return false;
}

bool take_number(std::string_view& text, std::size_t min_digits, std::size_t max_digits, std::uint64_t& value) {
  std::size_t digits = 0;
  value = 0;
  while (digits < text.size() && digits < max_digits && is_of(text[digits], "d")) value = value * 10 + static_cast<std::uint64_t>(text[digits++] - '0');
  if (digits < min_digits) return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

void skip_blanks(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(' '), text.size())); }

/// "[   12.345678]" and, with CONFIG_PRINTK_CALLER, "[  T12]" or "[  C0]".
std::optional<PrintkLine> parse_prefix(std::string_view text) {
  std::uint64_t seconds = 0, microseconds = 0, ignored = 0;
  if (!take(text, "[")) return std::nullopt;
  skip_blanks(text);
  if (!take_number(text, 1, 9, seconds) || !take(text, ".") || !take_number(text, 6, 6, microseconds) || !take(text, "]")) return std::nullopt;
  auto caller = text;
  if (take(caller, "[")) {
    skip_blanks(caller);
    if ((take(caller, "T") || take(caller, "C")) && take_number(caller, 1, 9, ignored) && take(caller, "]")) text = caller;
  }
  take(text, " ");
  return PrintkLine{seconds * 1'000'000 + microseconds, text};
}

}  // namespace

std::span<const KernelPattern> kernel_patterns() { return rows; }

std::optional<PrintkLine> strip_printk(std::string_view line) {
  for (auto at = line.find('['); at != std::string_view::npos; at = line.find('[', at + 1))
    if (auto parsed = parse_prefix(line.substr(at))) return parsed;
  return std::nullopt;
}

std::optional<PatternMatch> match_kernel_line(std::string_view text) {
  for (const auto& row : rows) {
    Captured captured;
    if (matches(row.pattern, text, captured)) return PatternMatch{&row, std::move(captured)};
  }
  return std::nullopt;
}

}  // namespace vigil::console

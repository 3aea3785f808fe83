#include "guest/evidence/output_patterns.hpp"

#include "shared/base/encoding.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vigil::guest::evidence {
namespace {

using protocol::CauseCode;

constexpr std::size_t max_evidence_bytes = 512;

/// `key` must occur; the subject is what stands between the end of `before` and the next `after`.
struct Pattern {
  CauseCode code;
  std::string_view key;      // found without regard to case
  std::string_view before;   // empty: no subject
  std::string_view after;    // empty: to the end of the line
};

constexpr Pattern patterns[] = {
    {CauseCode::service_missing_library, "error while loading shared libraries", "error while loading shared libraries: ", ":"},
    {CauseCode::service_missing_library, "error loading shared library", "Error loading shared library ", ":"},
    {CauseCode::service_missing_module, "cannot find module '", "Cannot find module '", "'"},
    {CauseCode::service_missing_module, "cannot find package '", "Cannot find package '", "'"},
    {CauseCode::service_missing_module, "no module named '", "No module named '", "'"},
    {CauseCode::service_missing_module, "no module named ", "No module named ", ""},
    {CauseCode::service_missing_module, "can't locate ", "Can't locate ", " in @INC"},
    {CauseCode::service_missing_module, "cannot load such file -- ", "cannot load such file -- ", " ("},
    {CauseCode::service_port_taken, "address already in use", "", ""},
    {CauseCode::service_port_taken, "eaddrinuse", "", ""},
    {CauseCode::service_port_taken, "addrinuse", "", ""},
    {CauseCode::service_port_taken, "port is already in use", "", ""},
    {CauseCode::service_fd_exhausted, "too many open files", "", ""},
    {CauseCode::service_lock_stale, "is no longer running, remove ", "is no longer running, remove ", ""},   // X servers
    {CauseCode::service_lock_stale, "already exists", "lock file \"", "\""},                              // PostgreSQL
    {CauseCode::service_lock_stale, "\" exists", " E \"", "\""},                                           // socat
};

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// Position of `needle` in `text` without regard to the case of ASCII letters; npos when it is not there.
std::size_t find_text(std::string_view text, std::string_view needle) {
  const auto at = std::search(text.begin(), text.end(), needle.begin(), needle.end(), same_letter);
  return at == text.end() ? std::string_view::npos : static_cast<std::size_t>(at - text.begin());
}

std::optional<std::string> subject_of(const Pattern& pattern, std::string_view line) {
  if (pattern.before.empty()) return std::string();
  const std::size_t at = find_text(line, pattern.before);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view subject = line.substr(at + pattern.before.size());
  if (!pattern.after.empty()) subject = subject.substr(0, subject.find(pattern.after));
  if (subject.empty()) return std::nullopt;
  return evidence_line(subject);
}

/// "sh: 1: nosuch: not found", "bash: line 1: nosuch: command not found", "env: 'python9': No such file or directory": the word before the verdict.
std::optional<std::string> command_not_found(std::string_view line) {
  for (const std::string_view verdict : {": command not found", ": not found", "': No such file or directory"}) {
    if (!line.ends_with(verdict)) continue;
    const bool quoted = verdict.front() == '\'';
    std::string_view head = line.substr(0, line.size() - verdict.size());
    if (quoted && !head.starts_with("env: ") && head.find("/env: ") == std::string_view::npos) return std::nullopt;
    const std::size_t start = head.find_last_of(quoted ? "'" : " ");
    if (start != std::string_view::npos) head.remove_prefix(start + 1);
    // GNU env prints typographic quotes in UTF-8 locales, shells none.
    if (head.empty() || head.find_first_of("=()") != std::string_view::npos) return std::nullopt;
    return evidence_line(head);
  }
  return std::nullopt;
}

/// "sh: 1: exec: /opt/run: Permission denied": with exit code 126, what the shell could not execute.
std::optional<std::string> not_permitted(std::string_view line) {
  constexpr std::string_view verdict = ": Permission denied";
  if (!line.ends_with(verdict)) return std::nullopt;
  std::string_view head = line.substr(0, line.size() - verdict.size());
  if (const std::size_t start = head.rfind(' '); start != std::string_view::npos) head.remove_prefix(start + 1);
  if (head.empty() || head.find('/') == std::string_view::npos) return std::nullopt;
  return evidence_line(head);
}

std::optional<OutputFinding> match_line(std::string_view line) {
  for (const Pattern& pattern : patterns) {
    if (find_text(line, pattern.key) == std::string_view::npos) continue;
    std::optional<std::string> subject = subject_of(pattern, line);
    if (!subject) continue;
    if (pattern.code == CauseCode::service_port_taken)
      if (const auto port = port_in_line(line)) subject = std::to_string(*port);
    return OutputFinding{pattern.code, std::move(*subject), evidence_line(line)};
  }
  if (auto command = command_not_found(line))
    return OutputFinding{CauseCode::service_missing_binary, std::move(*command), evidence_line(line)};
  if (auto program = not_permitted(line)) return OutputFinding{CauseCode::service_not_executable, std::move(*program), evidence_line(line)};
  return std::nullopt;
}

std::optional<std::uint16_t> leading_port(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number == 0 || number > 65535) return std::nullopt;
  if (end != text.data() + text.size() && std::isalnum(static_cast<unsigned char>(*end)) != 0) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

bool is_time_of_day(std::string_view token) {
  const std::size_t digit = token.find_first_of("0123456789");
  if (digit == std::string_view::npos || token.size() < digit + 5) return false;
  const std::string_view clock = token.substr(digit, 5);
  const auto is_digit = [&](std::size_t i) { return std::isdigit(static_cast<unsigned char>(clock[i])) != 0; };
  return is_digit(0) && is_digit(1) && clock[2] == ':' && is_digit(3) && is_digit(4) && token.find('.') > digit;
}

std::optional<std::uint16_t> port_after_colon(std::string_view line) {
  std::optional<std::uint16_t> port;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view token = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    const std::size_t colon = token.find_last_of(':', token.size() - (token.ends_with(':') ? 2 : 1));
    if (token.empty() || colon == std::string_view::npos || is_time_of_day(token)) continue;
    std::string_view digits = token.substr(colon + 1);
    if (digits.ends_with(':')) digits.remove_suffix(1);
    if (const auto found = leading_port(digits)) port = found;
  }
  return port;
}

}  // namespace

std::optional<std::uint16_t> port_in_line(std::string_view line) {
  for (const std::string_view mark : {std::string_view("port "), std::string_view("', "), std::string_view("port=")}) {
    const std::size_t at = find_text(line, mark);
    if (at == std::string_view::npos) continue;
    if (const auto port = leading_port(line.substr(at + mark.size()))) return port;
  }
  return port_after_colon(line);
}

std::optional<OutputFinding> find_in_output(std::string_view output) {
  while (!output.empty()) {
    const std::size_t newline = output.find_last_of('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    std::string_view line = output.substr(begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto finding = match_line(line)) return finding;
    output = newline == std::string_view::npos ? std::string_view() : output.substr(0, newline);
  }
  return std::nullopt;
}

std::optional<std::string> path_in_line(std::string_view line) {
  for (std::size_t at = line.find('/'); at != std::string_view::npos; at = line.find('/', at + 1)) {
    const bool begins = at == 0 || std::string_view(" \"'(:=").find(line[at - 1]) != std::string_view::npos;
    if (!begins) continue;
    const bool quoted = at > 0 && (line[at - 1] == '"' || line[at - 1] == '\'');
    std::string_view path = line.substr(at);
    path = path.substr(0, quoted ? path.find(line[at - 1]) : path.find_first_of(" \t\r,;)\"'"));
    if (path.size() > 1 && path.ends_with(':')) path.remove_suffix(1);
    if (path.size() > 1) return std::string(path);
  }
  return std::nullopt;
}

std::vector<std::string> last_lines(std::string_view output, std::size_t count) {
  std::vector<std::string> lines;
  while (!output.empty() && lines.size() < count) {
    const std::size_t newline = output.find_last_of('\n');
    const std::string_view line = output.substr(newline == std::string_view::npos ? 0 : newline + 1);
    output = newline == std::string_view::npos ? std::string_view() : output.substr(0, newline);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back(evidence_line(line));
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

std::string evidence_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string safe = escape_for_terminal(line.substr(0, max_evidence_bytes), Lines::escape);
  if (safe.size() <= max_evidence_bytes) return safe;
  std::size_t end = max_evidence_bytes;   // not within a UTF-8 character: what remains must be valid
  while (end > 0 && (static_cast<unsigned char>(safe[end]) & 0xC0U) == 0x80U) --end;
  safe.resize(end);
  return safe;
}

}  // namespace vigil::guest::evidence

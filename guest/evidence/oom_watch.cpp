#include "guest/evidence/oom_watch.hpp"

#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace vigil::guest::evidence {
namespace {

constexpr std::size_t kept_records = 64;

/// The text after `key` up to the next comma or the end.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + key.size());
  return line.substr(0, line.find_first_of(",\n"));
}

/// "/sys/fs/cgroup/vigil/web" and "/vigil/web" are one, whatever the hierarchy is mounted on.
bool is_path_of(const std::string& directory, const std::string& cgroup) {
  return !cgroup.empty() && cgroup != "/" && directory.ends_with(cgroup);
}

}  // namespace

std::uint64_t keyed_counter(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.size() <= key.size() || !line.starts_with(key) || line[key.size()] != ' ') continue;
    std::uint64_t value = 0;
    std::from_chars(line.data() + key.size() + 1, line.data() + line.size(), value);
    return value;
  }
  return 0;
}

std::optional<OomRecord> parse_oom_record(std::string_view line) {
  const std::size_t start = line.find("oom-kill:constraint=");
  if (start == std::string_view::npos) return std::nullopt;
  line.remove_prefix(start);
  const std::size_t task = line.find(",task="), pid_at = line.rfind(",pid=");   // a comm may hold commas
  if (task == std::string_view::npos || pid_at == std::string_view::npos || pid_at < task + 6) return std::nullopt;
  OomRecord record;
  record.comm = std::string(line.substr(task + 6, pid_at - task - 6));
  const std::string_view digits = line.substr(pid_at + 5);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), record.pid).ec != std::errc{}) return std::nullopt;
  const bool by_limit = line.starts_with("oom-kill:constraint=CONSTRAINT_MEMCG");
  if (by_limit) record.cgroup = std::string(value_of(line, "oom_memcg=").value_or(""));
  return record;
}

KernelOomLog::KernelOomLog(const std::string& path) : log_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (log_) lseek(log_.get(), 0, SEEK_END);
}

const std::deque<OomRecord>& KernelOomLog::records() {
  char record[8192];   // one read gives one record
  while (log_) {
    const ssize_t length = read(log_.get(), record, sizeof record);
    if (length < 0 && (errno == EPIPE || errno == EINTR)) continue;   // EPIPE: overwritten before we came; the next read goes on
    if (length <= 0) break;
    if (auto oom = parse_oom_record({record, static_cast<std::size_t>(length)})) records_.push_back(std::move(*oom));
    if (records_.size() > kept_records) records_.pop_front();
  }
  return records_;
}

void OomWatch::take_baseline() {
  if (cgroup_directory_.empty()) return;
  kills_before_ = keyed_counter(process::read_small_file(cgroup_directory_ + "/memory.events").value_or(""), "oom_kill");
}

std::optional<protocol::OomEvidence> OomWatch::since_baseline(KernelOomLog& log, const OomRecord& main) {
  if (cgroup_directory_.empty()) return std::nullopt;
  const auto read = [&](const char* file) { return process::read_small_file(cgroup_directory_ + file).value_or(""); };
  const std::uint64_t kills = keyed_counter(read("/memory.events"), "oom_kill");
  if (kills <= kills_before_) return std::nullopt;

  protocol::OomEvidence evidence;
  evidence.kills = kills - kills_before_;
  evidence.limit_bytes = keyed_counter("max " + read("/memory.max"), "max");
  evidence.peak_bytes = keyed_counter("peak " + read("/memory.peak"), "peak");
  evidence.victim = victim_text(main);
  for (const OomRecord& record : log.records())
    if (is_path_of(cgroup_directory_, record.cgroup)) evidence.victim = victim_text(record);
  if (evidence.limit_bytes == 0) return std::nullopt;   // no limit here: the VM as a whole ran out, which is another cause
  return evidence;
}

std::string victim_text(const OomRecord& record) { return record.comm + " (pid " + std::to_string(record.pid) + ")"; }

}  // namespace vigil::guest::evidence

#include "host/shim/process_identity.hpp"

#include "shared/base/unique_fd.hpp"

#include <sys/syscall.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

namespace vigil::shim {

namespace {

struct Stat { char state = '?'; std::uint64_t start_ticks = 0; };

std::string read_small(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The fields behind the last ')' (a program's name may hold anything): state is the 3rd field, the start time the 22nd.
std::optional<Stat> parse_stat(const std::string& text) {
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return std::nullopt;
  Stat stat{text[name_end + 2], 0};
  std::size_t at = name_end + 2;
  for (int field = 3; field < 22; ++field) {
    at = text.find(' ', at);
    if (at == std::string::npos) return std::nullopt;
    ++at;
  }
  const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), stat.start_ticks);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return stat;
}

std::optional<Stat> read_stat(std::int64_t pid) { return parse_stat(read_small("/proc/" + std::to_string(pid) + "/stat")); }

}  // namespace

std::string host_boot_id() {
  std::string id = read_small("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

Result<ProcessIdentity> identify(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat) return Error(Errc::not_found, "process " + std::to_string(pid) + ": not there");
  return ProcessIdentity{pid, stat->start_ticks};
}

bool is_alive(const ProcessIdentity& process, const std::string& boot_id) {
  if (process.pid <= 0 || boot_id != host_boot_id()) return false;
  const auto stat = read_stat(process.pid);
  return stat && stat->start_ticks == process.start_ticks && stat->state != 'Z' && stat->state != 'X';
}

Result<void> signal_process(const ProcessIdentity& process, int signal) {
  const std::string name = "process " + std::to_string(process.pid);
  if (process.pid <= 0) return Error(Errc::not_found, name + ": not there");
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) return errno == ESRCH ? Error(Errc::not_found, name + ": not there") : Error::from_errno(name, errno);
  const auto stat = read_stat(process.pid);   // read after the pidfd was taken: both mean the same process, or it is gone
  if (!stat || stat->start_ticks != process.start_ticks) return Error(Errc::not_found, name + ": ended, and its pid belongs to another");
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return {};
  return errno == ESRCH ? Error(Errc::not_found, name + ": not there") : Error::from_errno("signal " + name, errno);
}

}  // namespace vigil::shim

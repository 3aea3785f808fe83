#include "guest/evidence/stale_lock.hpp"

#include "guest/evidence/output_patterns.hpp"
#include "guest/process/small_file.hpp"

#include <sys/stat.h>

#include <charconv>

namespace vigil::guest::evidence {
namespace {

constexpr std::size_t max_socket_table = 1 << 20;

/// Lines of /proc/net/unix end with the path that a socket is bound to. Without a whole table nobody knows.
bool is_bound(const std::string& path, const std::string& proc) {
  const auto table = process::read_small_file(proc + "/net/unix", max_socket_table);
  return !table || table->size() >= max_socket_table || (*table + "\n").find(" " + path + "\n") != std::string::npos;
}

/// A lock file holds the pid of who made it, perhaps with blanks before it; one without a number tells nothing.
bool is_held(const std::string& path, const std::string& proc) {
  const std::string text = process::read_small_file(path, 64).value_or("");
  const std::size_t start = text.find_first_not_of(" \t");
  int pid = 0;
  if (start == std::string::npos || std::from_chars(text.data() + start, text.data() + text.size(), pid).ec != std::errc{} || pid <= 0)
    return true;
  struct stat status{};
  return ::stat((proc + "/" + std::to_string(pid)).c_str(), &status) == 0;
}

}  // namespace

std::optional<std::string> find_stale_lock(std::string_view output, const std::string& proc) {
  const auto finding = find_in_output(output);
  if (!finding) return std::nullopt;
  const bool of_a_lock =
      finding->code == protocol::CauseCode::service_lock_stale || finding->code == protocol::CauseCode::service_port_taken;
  if (!of_a_lock) return std::nullopt;
  const auto path =
      finding->code == protocol::CauseCode::service_lock_stale ? std::optional(finding->subject) : path_in_line(finding->line);
  struct stat status{};
  if (!path || !path->starts_with('/') || ::lstat(path->c_str(), &status) != 0) return std::nullopt;
  if (S_ISSOCK(status.st_mode)) return is_bound(*path, proc) ? std::nullopt : path;
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return is_held(*path, proc) ? std::nullopt : path;
}

}  // namespace vigil::guest::evidence

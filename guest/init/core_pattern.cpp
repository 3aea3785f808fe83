#include "guest/init/core_pattern.hpp"

#include "guest/process/small_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::init {
namespace {

// Helpers that the kernel waits for at the same time; more than that are not dumped. Each lets its victim go within milliseconds.
constexpr const char* most_at_once = "32";

Result<void> set(const char* path, const std::string& value) {
  if (const int error = process::write_control_file(path, value); error != 0)
    return Error(Errc::unavailable, std::string(path) + ": " + std::strerror(error));
  return {};
}

}  // namespace

std::string core_pattern(std::chrono::milliseconds budget) {
  return std::string("|") + core_helper + " " + core_socket + " " + std::to_string(budget.count()) + " %P %I %s";
}

Result<void> route_cores(std::chrono::milliseconds budget) {
  if (::access(core_helper, X_OK) != 0)
    return Error(Errc::not_found, std::string(core_helper) + ": not in this image; crashes have no trace");
  ::mkdir("/run/vigil/empty", 0555);
  TRY_VOID(set("/proc/sys/kernel/core_pipe_limit", most_at_once));
  TRY_VOID(set("/proc/sys/kernel/core_pattern", core_pattern(budget)));
  return set("/proc/sys/fs/suid_dumpable", "2");
}

}  // namespace vigil::guest::init

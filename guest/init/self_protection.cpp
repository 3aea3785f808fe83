#include "guest/init/self_protection.hpp"

#include "guest/process/small_file.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::init {
namespace {

// The agent itself is below 3 MiB; an outbox full of crash reports with full tails adds 4 MiB.
constexpr const char* reserved_bytes = "8388608";

}  // namespace

void protect_from_oom() { process::write_control_file("/proc/self/oom_score_adj", "-1000"); }

std::string protect_from_reclaim(const std::string& cgroup_root) {
  std::string refused;
  const auto note = [&](const std::string& what, int error) {
    if (error != 0) refused += (refused.empty() ? "" : "; ") + what + ": " + std::strerror(error);
  };
  note("lock memory", ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 ? 0 : errno);
  if (cgroup_root.empty()) return refused;
  const std::string own = cgroup_root + "/agent";
  note("mkdir " + own, ::mkdir(own.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno);
  note("memory.min", process::write_control_file(own + "/memory.min", reserved_bytes));
  note("cgroup.procs", process::write_control_file(own + "/cgroup.procs", "0"));
  return refused;
}

}  // namespace vigil::guest::init

#include "guest/process/cgroup.hpp"

#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace vigil::guest::process {
namespace {

/// Controllers must be handed down level by level; one that the kernel lacks is left out, the others are still worth having.
void delegate_controllers(const std::string& directory) {
  for (const char* controller : {"+memory", "+pids", "+cpu"}) write_control_file(directory + "/cgroup.subtree_control", controller);
}

Result<void> make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return Error::from_errno("mkdir " + path, errno);
}

}  // namespace

std::vector<ControlValue> control_values(const CgroupLimits& limits) {
  const auto text = [](const std::optional<std::uint64_t>& value) { return value ? std::to_string(*value) : std::string("max"); };
  constexpr std::uint64_t period_us = 100'000;
  const std::string cpu = limits.cpu_percent ? std::to_string(std::max<std::uint64_t>(*limits.cpu_percent * period_us / 100, 1000)) : "max";
  return {
      {"memory.max", text(limits.memory_bytes)},
      {"memory.swap.max", limits.memory_bytes ? "0" : "max"},   // else the limit is met by swapping, slowly, not by a clear end
      {"memory.oom.group", "1"},                                // half a service is worse than none
      {"pids.max", text(limits.pids)},
      {"cpu.max", cpu + " " + std::to_string(period_us)},
  };
}

Result<Cgroup> Cgroup::make(const std::string& root, const std::string& name, const CgroupLimits& limits) {
  const std::string parent = root + "/vigil";
  delegate_controllers(root);
  TRY_VOID(make_directory(parent));
  delegate_controllers(parent);

  Cgroup cgroup;
  cgroup.path_ = parent + "/" + name;
  TRY_VOID(make_directory(cgroup.path_));
  for (const ControlValue& control : control_values(limits)) write_control_file(cgroup.path_ + "/" + control.file, control.value);
  cgroup.directory_.reset(open(cgroup.path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.directory_) return Error::from_errno("open " + cgroup.path_, errno);
  return cgroup;
}

}  // namespace vigil::guest::process

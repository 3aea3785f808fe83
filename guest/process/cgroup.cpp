#include "guest/process/cgroup.hpp"

#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

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
  Cgroup cgroup;
  cgroup.root_ = root;
  cgroup.name_ = name;
  cgroup.limits_ = limits;
  delegate_controllers(root);
  TRY_VOID(make_directory(root + "/vigil"));
  delegate_controllers(root + "/vigil");
  TRY_VOID(cgroup.replace(name));
  return cgroup;
}

void Cgroup::kill_all() {
  if (path_.empty()) return;
  write_control_file(path_ + "/cgroup.kill", "1");
  spent_ = true;
}

Result<void> Cgroup::renew() {
  if (rmdir(path_.c_str()) != 0 && errno != ENOENT) return Error::from_errno("rmdir " + path_, errno);
  return replace(name_);
}

Result<void> Cgroup::renew_elsewhere() { return replace(name_ + "+" + std::to_string(++generation_)); }

KeptCgroup Cgroup::keep() const { return {path_.substr(path_.rfind('/') + 1), generation_, spent_}; }

Result<void> Cgroup::resume(const KeptCgroup& kept) {
  if (root_.empty() || kept.directory.empty()) return {};
  if (kept.directory.find('/') != std::string::npos) return Error(Errc::invalid, "cgroup: not a name: " + kept.directory);
  generation_ = kept.generation;
  TRY_VOID(replace(kept.directory));
  spent_ = kept.spent;
  return {};
}

Result<void> Cgroup::replace(const std::string& directory_name) {
  const std::string path = root_ + "/vigil/" + directory_name;
  TRY_VOID(make_directory(path));
  for (const ControlValue& control : control_values(limits_)) write_control_file(path + "/" + control.file, control.value);
  UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return Error::from_errno("open " + path, errno);
  path_ = path;
  directory_ = std::move(directory);
  spent_ = false;
  return {};
}

}  // namespace vigil::guest::process

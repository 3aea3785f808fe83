// One cgroup v2 directory a service, <root>/vigil/<name>: made once, with its limits, removed when the service is.
//
// Shape:  a resource; its directory descriptor is what the launcher clones into. A directory through whose cgroup.kill processes were killed is spent:
//         since the kernel counts kills to catch racing forks, it kills at birth whatever clone3 puts there later (seen on 6.12 and 6.18).
//         So such a directory is replaced before the next start.
// Errors: Error of mkdir or open. Limits are set as far as the controllers are there: a kernel without one is not a reason to keep a service from running.
// Source: cgroup-v2 (memory.max, memory.oom.group, pids.max, cpu.max, cgroup.subtree_control).
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::process {

struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes, pids, cpu_percent;
};

/// One control file and what to write into it.
struct ControlValue {
  std::string file, value;
  friend bool operator==(const ControlValue&, const ControlValue&) = default;
};

/// Pure: how `limits` are said to the kernel. Without a limit the file says "max", so that a limit taken away is gone.
std::vector<ControlValue> control_values(const CgroupLimits& limits);

/// Where a cgroup is, between two lives of the agent.
struct KeptCgroup {
  std::string directory;              // below <root>/vigil; empty: there is none
  std::uint32_t generation = 1;
  bool spent = false;
  friend bool operator==(const KeptCgroup&, const KeptCgroup&) = default;
};

class Cgroup {
public:
  Cgroup() = default;   // none: path() is empty, fd() -1
  static Result<Cgroup> make(const std::string& root, const std::string& name, const CgroupLimits& limits);
  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&&) noexcept = default;
  /// Does not remove the directory: processes may still be in it.
  ~Cgroup() = default;

  /// Kills every process in it, at once. Does nothing without a directory.
  void kill_all();
  bool is_spent() const { return spent_; }
  /// A fresh directory in place of a spent one. Errc::io while a killed process is not gone yet.
  Result<void> renew();
  /// The same under another name, for a process that does not go: it is left behind where it is.
  Result<void> renew_elsewhere();

  KeptCgroup keep() const;
  /// The one that the life before had; its processes are in it.
  Result<void> resume(const KeptCgroup& kept);

  const std::string& path() const { return path_; }
  int fd() const { return directory_.get(); }
  explicit operator bool() const { return static_cast<bool>(directory_); }

private:
  Result<void> replace(const std::string& directory_name);

  std::string root_, name_;
  CgroupLimits limits_;
  std::uint32_t generation_ = 1;
  bool spent_ = false;
  std::string path_;
  UniqueFd directory_;
};

}  // namespace vigil::guest::process

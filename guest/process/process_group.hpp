// The processes of one service: by its cgroup where there is one, else by descent and session of its main process.
//
// Shape:  a value; each question is answered from the kernel at that moment.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace vigil::guest::process {

class ProcessGroup {
public:
  ProcessGroup() = default;
  /// `cgroup_directory` empty: no cgroup.
  ProcessGroup(std::string cgroup_directory, pid_t main) : cgroup_directory_(std::move(cgroup_directory)), main_(main) {}

  /// Living members; zombies are not counted.
  std::vector<pid_t> members() const;
  bool contains(pid_t pid) const;
  /// SIGKILL to each of them, also when the main process has gone. With a cgroup Cgroup::kill_all() does it at once.
  void kill_all() const;

private:
  std::string cgroup_directory_;
  pid_t main_ = 0;
};

/// Pids in the text of a cgroup.procs file.
std::vector<pid_t> parse_pids(const std::string& text);
/// Every pid of /proc.
std::vector<pid_t> all_pids();

}  // namespace vigil::guest::process

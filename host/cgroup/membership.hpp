// Where the caller stands in the host's control groups; private to this folder.
#pragma once

#include "host/cgroup/cgroup.hpp"

#include <map>
#include <string>

namespace vigil::cgroup {

struct Membership {
  Version version = Version::v2;
  std::map<std::string, std::string> directories;   // controller ("memory", "cpuacct", "pids") -> own directory; v2: "" -> own directory
};

/// Below which directory groups of runs are made by who stands in `own`: in that one, or, when the daemon has moved into its leaf (leaf.hpp), beside it.
std::string place_of_groups(Version version, const std::string& own);

/// Texts of /proc/mounts and /proc/self/cgroup. v1 when its memory controller is mounted (a hybrid host), else v2. Errc::unsupported: neither.
Result<Membership> parse_membership(const std::string& mounts, const std::string& self);

}  // namespace vigil::cgroup

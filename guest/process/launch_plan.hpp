// All that a new process needs, decided before the clone: the child itself decides nothing.
//
// Shape:  a value; descriptors in it belong to the caller and stay open until launch() has returned.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::process {

/// `fd` of this process becomes `target` in the child. Targets above 2; 0 to 2 are the plan's own.
struct PassedFd { int fd = -1; int target = 3; };

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

struct LaunchPlan {
  std::vector<std::string> argv;         // argv[0] is the absolute path that is executed
  std::vector<std::string> env;          // "NAME=value"
  std::string cwd = "/";
  std::optional<Credentials> credentials;  // none: those of this process
  std::optional<std::uint64_t> capabilities;   // the only ones that it and its children can have, bit N for number N; none: what the user has
  bool no_new_privs = false;
  std::optional<std::uint64_t> nofile;   // RLIMIT_NOFILE
  int cgroup_fd = -1;                    // directory of the cgroup to be born in; -1: that of this process
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;   // -1: /dev/null
  bool has_terminal = false;             // stdin becomes the controlling terminal
  std::vector<PassedFd> passed;
};

}  // namespace vigil::guest::process

// What Linux expects of an init before it runs programs: file systems, the directories that X servers share, the loopback interface, a host name, cgroup controllers.
//
// Shape:  each step is tried whatever became of the others; what failed is logged and returned by name, for the diagnosis.
// Source: tech.md §4.3.
#pragma once

#include <string>
#include <vector>

namespace vigil::guest::init {

struct SetupResult {
  std::vector<std::string> problems;
  bool has_cgroups = false;           // /sys/fs/cgroup is a v2 hierarchy with controllers enabled
  bool has_tracefs = false;
};

SetupResult set_up_system();

/// `name`, else /etc/hostname, else "vigil".
void set_host_name(const std::string& name);

}  // namespace vigil::guest::init

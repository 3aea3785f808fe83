// What has to be started for one run of a VM: made by a VMM driver, carried out by vigil-shim.
//
// Shape:  a value. argv[0] is an absolute path. The console is the VMM's stdout, its stdin is /dev/null, its stderr goes to vmm.log.
//         Files are opened, and listeners bound, by the shim with its own rights before it drops them, and appear in the VMM as the given
//         descriptors (3 and up, each once): so the VMM's own user needs no way into any directory but the run's.
// Errors: socket paths are checked when the plan is made (sockaddr_un holds 107 bytes).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace vigil::vmm {

enum class Access { read_only, read_write };

struct PassedFile {
  std::string path;
  Access access = Access::read_only;
  int fd = -1;
  friend bool operator==(const PassedFile&, const PassedFile&) = default;
};

/// A listening Unix stream socket, mode 0600: a client may dial it before the VMM looks at it.
struct PassedListener {
  std::string path;
  int fd = -1;
  friend bool operator==(const PassedListener&, const PassedListener&) = default;
};

/// A process that must serve `socket` before the VMM is started, and that is ended with it.
struct DevicePlan {
  std::vector<std::string> argv;
  std::string socket;
  std::chrono::milliseconds deadline{2000};
  friend bool operator==(const DevicePlan&, const DevicePlan&) = default;
};

struct LaunchPlan {
  std::vector<std::string> argv;
  std::vector<PassedFile> files;
  std::vector<PassedListener> listeners;
  std::optional<DevicePlan> device;
  std::string control_socket;                   // one of `listeners`: VmmDriver::connect dials it
  friend bool operator==(const LaunchPlan&, const LaunchPlan&) = default;
};

}  // namespace vigil::vmm

// What has to be started for one run of a VM: made by a VMM driver, carried out by vigil-shim.
//
// Shape:  a value. argv[0] is an absolute path. The console is the VMM's `console_fd`, its stdin is /dev/null, its stderr goes to vmm.log.
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

/// One order on a control socket that speaks HTTP. `body` is JSON text.
struct ControlRequest {
  std::string method, path, body;
  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

/// What has the guest started in a VMM that waits for orders; empty for one that boots by itself. The files are named for causes only.
struct BootOrders {
  std::vector<ControlRequest> requests;
  std::string kernel, initrd;
  friend bool operator==(const BootOrders&, const BootOrders&) = default;
};

struct LaunchPlan {
  std::vector<std::string> argv;
  std::vector<PassedFile> files;
  std::vector<PassedListener> listeners;
  std::optional<DevicePlan> device;
  std::string control_socket;                   // VmmDriver::connect dials it: one of `listeners`, or made by the VMM itself
  int console_fd = 1;                           // where the VMM finds the console's pipe; when it is not 1, stdout goes to vmm.log too
  BootOrders boot;                              // for RunningVm::boot; the shim does not get them
  friend bool operator==(const LaunchPlan&, const LaunchPlan&) = default;
};

}  // namespace vigil::vmm

// The list of VMM drivers.
//
// Errors: Errc::not_found when the VMM or the vsock device is not installed: the message names what was looked for and where; Errc::unavailable and
//         Errc::unsupported for a Firecracker that does not run or is too old (it is asked for its version: some 10 ms).
#pragma once

#include "host/vmm/vmm.hpp"

#include <string>

namespace vigil::vmm {

struct Programs {
  std::string qemu;                             // absolute paths
  std::string vsock_device;
};

/// $VIGIL_QEMU, else qemu-system-x86_64 in PATH; the vsock device as find_vsock_device() does.
Result<Programs> find_programs(const std::string& daemon_dir);

Result<std::unique_ptr<VmmDriver>> make_driver(VmmKind kind, const std::string& daemon_dir);

}  // namespace vigil::vmm

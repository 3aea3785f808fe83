#include "host/vmm/driver_factory.hpp"

#include "host/vmm/firecracker/driver.hpp"
#include "host/vmm/programs.hpp"
#include "host/vmm/qemu/driver.hpp"
#include "host/vmm/vsock_device.hpp"

#include <cstdlib>

namespace vigil::vmm {

Result<Programs> find_programs(const std::string& daemon_dir) {
  TRY(qemu, find_qemu());
  TRY(vsock_device, find_vsock_device(daemon_dir));
  return Programs{qemu, vsock_device};
}

Result<std::unique_ptr<VmmDriver>> make_driver(VmmKind kind, const std::string& daemon_dir) {
  switch (kind) {
    case VmmKind::firecracker: return firecracker::make_firecracker_driver();
    case VmmKind::automatic:
    case VmmKind::qemu: {
      TRY(programs, find_programs(daemon_dir));
      return std::unique_ptr<VmmDriver>(std::make_unique<qemu::QemuDriver>(programs.qemu, programs.vsock_device));
    }
  }
  std::abort();
}

}  // namespace vigil::vmm

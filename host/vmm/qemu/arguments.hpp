// VmSpec -> QEMU's command line: the microvm machine with virtio-mmio devices.
//
// Shape:  pure. All files come as descriptors from the shim, so that QEMU's own user needs no rights on any directory.
// Source: QEMU docs/system/i386/microvm.rst; measured choices stand beside each option.
#pragma once

#include "host/vmm/vmm.hpp"

namespace vigil::vmm::qemu {

std::string qemu_control_socket(const std::string& run_dir);

/// `qemu` and `vsock_device` are absolute paths. Errors: Errc::limit for a socket path over 107 bytes; Errc::invalid for a spec that cannot be.
Result<LaunchPlan> make_launch_plan(const VmSpec& spec, const std::string& qemu, const std::string& vsock_device);

}  // namespace vigil::vmm::qemu

// The agent's first life: /init of the initramfs, from the kernel's hand-over to the exec of the agent as init of the real root.
//
// Shape:  stage initrd (alive, modules) and stage rootfs (disks, overlay), each reported as it happens. The link is dialled as soon as vsock exists and never waited for.
//         A failure ends in a VM that stays up, reports, and can be shut down by the host.
// Source: DESIGN "Boot".
#pragma once

namespace vigil::guest::boot {

/// True for PID 1 in an initramfs of ours.
bool is_initramfs();

[[noreturn]] void run_initramfs();

}  // namespace vigil::guest::boot

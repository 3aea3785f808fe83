// Whether this process may use vsock at all.
//
// Why:    a machine that is itself a VM has a host too, and that host is none of our business. Both must hold: this process is PID 1, or the program that our
//         initramfs left on /run, started by PID 1 (systemd); and the kernel command line holds vigil.vm=ID. They are read here, from the kernel, at each call:
//         no caller can be wrong about them.
#pragma once

namespace vigil::guest::link {

bool inside_a_vm_of_ours();

}  // namespace vigil::guest::link

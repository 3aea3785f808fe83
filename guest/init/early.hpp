// The first instructions of the initramfs life: what nothing works without.
#pragma once

namespace vigil::guest::init {

/// /proc, /sys, /dev, /run mounted (those that the kernel mounted already stay), descriptors 0 to 2 open.
void mount_essentials();

/// PID 1 must be the last that the kernel's OOM killer takes. The launcher gives each service a score of 0.
void protect_from_oom();

}  // namespace vigil::guest::init

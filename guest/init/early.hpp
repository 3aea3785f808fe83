// The first instructions of the initramfs life: what nothing works without.
#pragma once

namespace vigil::guest::init {

/// /proc, /sys, /dev, /run mounted (those that the kernel mounted already stay), descriptors 0 to 2 open.
void mount_essentials();

}  // namespace vigil::guest::init

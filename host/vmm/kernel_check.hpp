// Whether files can be booted at all. QEMU boots garbage in silence, so it is asked before the start.
//
// Shape:  nullopt, or the cause: boot.kernel_invalid{path,reason}, boot.initrd_invalid{path,reason}.
// Source: ELF-64 (gABI), Xen's PVH note XEN_ELFNOTE_PHYS32_ENTRY = 18, Documentation/arch/x86/boot.rst (bzImage), initramfs/buffer-format.
#pragma once

#include "shared/protocol/cause.hpp"

#include <optional>
#include <string>

namespace vigil::vmm {

enum class KernelFormat { elf_pvh, bz_image };

/// `format`, when given, is set for a kernel that is good.
std::optional<protocol::Cause> check_kernel(const std::string& path, KernelFormat* format = nullptr);
std::optional<protocol::Cause> check_initrd(const std::string& path);

}  // namespace vigil::vmm

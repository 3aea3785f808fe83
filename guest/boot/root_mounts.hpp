// Joins the shared read-only root and the VM's own writable disk into the file system that becomes "/".
//
// Shape:  LAYERS/root (ext4, read-only, journal not replayed: the disk is shared), LAYERS/disk (ext4 or tmpfs, read-write), overlayfs of both at /newroot.
// Errors: a cause for each way in which it can fail; the kernel's own lines about the device are its evidence.
// Source: tech.md §4.4; Documentation/filesystems/overlayfs.rst.
#pragma once

#include "shared/protocol/cause.hpp"

#include <optional>
#include <string>

namespace vigil::guest::boot {

inline constexpr const char* layers = "/run/vigil/layers";
inline constexpr const char* new_root = "/newroot";

std::optional<protocol::Cause> mount_root(const std::string& device);
/// boot.image_mismatch when this initramfs was built for another root.
std::optional<protocol::Cause> check_image_id();
std::optional<protocol::Cause> mount_overlay(const std::string& device);
/// As mount_overlay(), of a VM without a disk of its own: what it writes is in its memory, at most half of that, and ends with the run.
std::optional<protocol::Cause> mount_overlay_in_memory();

}  // namespace vigil::guest::boot

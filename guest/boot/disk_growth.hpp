// Makes the file system of the VM's own disk as large as the disk: the template is small, a VM may ask for more.
//
// Shape:  online, after the mount; only ever larger. Costs one read of 1 KiB when there is nothing to do.
// Errors: a disk that could not be grown works as it is; the log has overlay.not_grown with the reason.
// Source: Documentation/filesystems/ext4/super.rst (s_blocks_count, s_log_block_size, s_magic); fs/ext4/ioctl.c (EXT4_IOC_RESIZE_FS).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::boot {

struct FileSystemSize {
  std::uint64_t blocks = 0;
  std::uint64_t block_bytes = 0;
};

/// Of an ext4 superblock (1 KiB, at byte 1024 of the disk); nullopt when it is none.
std::optional<FileSystemSize> size_in_superblock(std::string_view superblock);

/// The number of blocks to grow to, or nullopt: the disk has no more than the file system uses.
std::optional<std::uint64_t> larger_size(const FileSystemSize& now, std::uint64_t disk_bytes);

void grow_to_disk(const std::string& device, const std::string& mounted_at);

}  // namespace vigil::guest::boot

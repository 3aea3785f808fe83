#include "guest/boot/disk_growth.hpp"

#include "guest/log/log.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::boot {
namespace {

constexpr std::size_t superblock_bytes = 1024, superblock_at = 1024;
constexpr unsigned long resize_file_system = _IOW('f', 16, std::uint64_t);   // EXT4_IOC_RESIZE_FS, which older headers lack

std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t n = size; n-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + n]);
  return value;
}

void not_grown(const std::string& device, const char* what) {
  const std::string reason = std::string(what) + ": " + std::strerror(errno);
  log::warning("overlay.not_grown", {{"device", device}, {"err", reason}});
}

}  // namespace

std::optional<FileSystemSize> size_in_superblock(std::string_view superblock) {
  constexpr std::size_t blocks_low = 0x4, log_block_size = 0x18, magic = 0x38, incompatible = 0x60, blocks_high = 0x150;
  constexpr std::uint64_t ext4_magic = 0xEF53, has_64_bit = 0x80, max_log = 6;
  if (superblock.size() < superblock_bytes || little_endian(superblock, magic, 2) != ext4_magic) return std::nullopt;
  const std::uint64_t log = little_endian(superblock, log_block_size, 4);
  if (log > max_log) return std::nullopt;
  const bool large = (little_endian(superblock, incompatible, 4) & has_64_bit) != 0;
  const std::uint64_t high = large ? little_endian(superblock, blocks_high, 4) : 0;
  return FileSystemSize{high << 32 | little_endian(superblock, blocks_low, 4), std::uint64_t{1024} << log};
}

std::optional<std::uint64_t> larger_size(const FileSystemSize& now, std::uint64_t disk_bytes) {
  const std::uint64_t blocks = disk_bytes / now.block_bytes;
  if (blocks <= now.blocks) return std::nullopt;
  return blocks;
}

void grow_to_disk(const std::string& device, const std::string& mounted_at) {
  const UniqueFd disk(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  if (!disk) return not_grown(device, "open");
  std::string superblock(superblock_bytes, '\0');
  if (::pread(disk.get(), superblock.data(), superblock.size(), superblock_at) != static_cast<ssize_t>(superblock.size()))
    return not_grown(device, "read");
  std::uint64_t bytes = 0;
  if (::ioctl(disk.get(), BLKGETSIZE64, &bytes) != 0) return not_grown(device, "size");
  const auto now = size_in_superblock(superblock);
  if (!now) return;
  const auto wanted = larger_size(*now, bytes);
  if (!wanted) return;
  const UniqueFd folder(::open(mounted_at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::uint64_t blocks = *wanted;
  if (!folder || ::ioctl(folder.get(), resize_file_system, &blocks) != 0) return not_grown(device, "grow");
  log::info("overlay.grown", {{"device", device}, {"from_blocks", now->blocks}, {"to_blocks", *wanted}});
}

}  // namespace vigil::guest::boot

// Finds block devices by the serial that the VMM gave them.
//
// Shape:  /sys/block/*/serial; a uevent socket wakes the waiter when the kernel adds one. Device names (vda, vdb) follow no order that we may rely on.
// Source: virtio_blk's `serial` attribute; netlink(7) NETLINK_KOBJECT_UEVENT.
#pragma once

#include "guest/loop/event_loop.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::boot {

struct Disk {
  std::string name;                   // "vda"
  std::string serial;                 // empty: it has none
  friend bool operator==(const Disk&, const Disk&) = default;
};

/// Whole disks, sorted by name.
std::vector<Disk> list_disks(const std::string& sys_block = "/sys/block");
/// "vda (vigil-root), vdb", or "none".
std::string describe(const std::vector<Disk>& disks);
/// "/dev/vda" of the disk with this serial, or of this very name.
std::optional<std::string> find_device(const std::vector<Disk>& disks, const std::string& serial);

/// Returns as soon as each serial is there, at the latest after `limit`. The loop turns meanwhile.
std::vector<Disk> wait_for_disks(EventLoop& loop, const std::vector<std::string>& serials, std::chrono::milliseconds limit);

}  // namespace vigil::guest::boot

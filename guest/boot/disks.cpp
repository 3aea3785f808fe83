#include "guest/boot/disks.hpp"

#include "guest/process/small_file.hpp"

#include <dirent.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

namespace vigil::guest::boot {
namespace {

UniqueFd open_uevents() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;   // what the kernel itself sends
  if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) fd.reset();
  return fd;
}

void discard_pending(int fd) {
  char event[4096];
  while (::recv(fd, event, sizeof event, MSG_DONTWAIT) > 0) {}
}

bool all_there(const std::vector<Disk>& disks, const std::vector<std::string>& serials) {
  return std::all_of(serials.begin(), serials.end(), [&](const std::string& serial) { return find_device(disks, serial).has_value(); });
}

}  // namespace

std::vector<Disk> list_disks(const std::string& sys_block) {
  std::vector<Disk> disks;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(sys_block.c_str()), ::closedir);
  if (!folder) return disks;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name.starts_with(".") || name.starts_with("loop") || name.starts_with("ram")) continue;
    disks.push_back({name, process::read_value(sys_block + "/" + name + "/serial")});
  }
  std::sort(disks.begin(), disks.end(), [](const Disk& a, const Disk& b) { return a.name < b.name; });
  return disks;
}

std::string describe(const std::vector<Disk>& disks) {
  std::string text;
  for (const Disk& disk : disks) {
    if (!text.empty()) text += ", ";
    text += disk.name;
    if (!disk.serial.empty()) text += " (" + disk.serial + ")";
  }
  return text.empty() ? "none" : text;
}

std::optional<std::string> find_device(const std::vector<Disk>& disks, const std::string& serial) {
  for (const Disk& disk : disks)
    if (disk.serial == serial || "/dev/" + disk.name == serial) return "/dev/" + disk.name;
  return std::nullopt;
}

std::vector<Disk> wait_for_disks(EventLoop& loop, const std::vector<std::string>& serials, std::chrono::milliseconds limit) {
  const UniqueFd uevents = open_uevents();   // before the first look: what comes in between is not missed
  std::vector<Disk> disks = list_disks();
  bool changed = false, over = false;
  LoopToken watch;
  if (uevents) {
    watch = loop.watch(uevents.get(), EPOLLIN, [&](std::uint32_t) {
      discard_pending(uevents.get());
      changed = true;
    });
  }
  const LoopToken deadline = loop.after(limit, [&over] { over = true; });
  // Without uevents, or when a serial appears after its device was announced, a bounded look from 1 ms on.
  std::chrono::milliseconds look{1};
  while (!over && !all_there(disks, serials)) {
    loop.run_once(look);
    look = changed ? std::chrono::milliseconds(1) : std::min(look * 2, std::chrono::milliseconds(100));
    changed = false;
    disks = list_disks();
  }
  return disks;
}

}  // namespace vigil::guest::boot

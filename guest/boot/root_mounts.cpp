#include "guest/boot/root_mounts.hpp"

#include "guest/boot/disk_growth.hpp"
#include "guest/process/small_file.hpp"

#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace vigil::guest::boot {
namespace {

using protocol::Cause;
using protocol::CauseCode;
using protocol::make_cause;

constexpr const char* image_id_file = "/etc/vigil/image-id";

std::string layer(const char* name) { return std::string(layers) + "/" + name; }

// What the kernel printed about the device, newest first: mount(2) says EINVAL, the kernel says why.
std::vector<std::string> kernel_lines_about(const std::string& device) {
  constexpr int read_all = 3, max_lines = 4;
  std::string log(32 * 1024, '\0');
  const int size = ::klogctl(read_all, log.data(), static_cast<int>(log.size()));
  log.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string name = device.substr(device.rfind('/') + 1);
  std::vector<std::string> lines;
  while (!log.empty() && lines.size() < max_lines) {
    if (log.back() == '\n') log.pop_back();
    const std::size_t start = log.rfind('\n') + 1;   // npos + 1 == 0: the first line
    std::string line = log.substr(start);
    log.resize(start);
    if (line.starts_with('<')) line.erase(0, line.find('>') + 1);   // its level
    if (line.find(name) != std::string::npos) lines.push_back(line.substr(0, 500));
  }
  return lines;
}

}  // namespace

std::optional<Cause> mount_root(const std::string& device) {
  ::mkdir(layers, 0700);
  ::mkdir(layer("root").c_str(), 0755);
  if (::mount(device.c_str(), layer("root").c_str(), "ext4", MS_RDONLY | MS_NOATIME, "noload") == 0) return std::nullopt;
  const std::string error = std::strerror(errno);
  return make_cause(CauseCode::boot_root_corrupt, {{"device", device}, {"error", error}}, kernel_lines_about(device));
}

std::optional<Cause> check_image_id() {
  const std::string expected = process::read_value(image_id_file);
  if (expected.empty()) return std::nullopt;   // an initramfs that was made by hand
  const std::string found = process::read_value(layer("root") + image_id_file);
  if (found == expected) return std::nullopt;
  return make_cause(CauseCode::boot_image_mismatch, {{"expected", expected}, {"found", found.empty() ? "no image id" : found}});
}

namespace {

/// What the system just refused, by errno.
Cause overlay_failed(const std::string& what, const std::string& device) {
  const std::string error = std::strerror(errno);
  return make_cause(CauseCode::boot_overlay_failed, {{"errno", what + ": " + error}}, kernel_lines_about(device));
}

/// Of the root and of what is mounted at LAYERS/disk.
std::optional<Cause> join_layers(const std::string& device) {
  const auto failed = [&](const std::string& what) { return overlay_failed(what, device); };
  for (const char* folder : {"disk/upper", "disk/work"})
    if (::mkdir(layer(folder).c_str(), 0755) != 0 && errno != EEXIST) return failed(std::string("mkdir ") + folder);
  ::mkdir(new_root, 0755);
  const std::string options = "lowerdir=" + layer("root") + ",upperdir=" + layer("disk/upper") + ",workdir=" + layer("disk/work");
  if (::mount("overlay", new_root, "overlay", MS_NOATIME, options.c_str()) != 0) return failed("mount overlay");
  return std::nullopt;
}

}  // namespace

std::optional<Cause> mount_overlay(const std::string& device) {
  ::mkdir(layer("disk").c_str(), 0755);
  if (::mount(device.c_str(), layer("disk").c_str(), "ext4", MS_NOATIME, nullptr) != 0) return overlay_failed("mount " + device, device);
  grow_to_disk(device, layer("disk"));
  return join_layers(device);
}

std::optional<Cause> mount_overlay_in_memory() {
  ::mkdir(layer("disk").c_str(), 0755);
  if (::mount("vigil-overlay", layer("disk").c_str(), "tmpfs", MS_NOATIME, "mode=0755,size=50%") != 0) return overlay_failed("mount tmpfs", "tmpfs");
  return join_layers("overlay");
}

}  // namespace vigil::guest::boot

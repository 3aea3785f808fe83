#include "guest/health/mounts.hpp"

#include "guest/process/words.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace vigil::guest::health {
namespace {

constexpr std::size_t max_mounts = 16, max_path_bytes = 256;
constexpr std::string_view local_types[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "overlay", "tmpfs"};

struct MountRow {
  std::string device, path;
  bool counts = false;
};

/// "\040" is how the kernel writes a blank.
std::string unescaped(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '\\' && i + 3 < text.size() &&
                           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i) + 1, text.begin() + static_cast<std::ptrdiff_t>(i) + 4,
                                       [](char digit) { return digit >= '0' && digit <= '7'; });
    if (!is_escape) {
      path += text[i];
      continue;
    }
    path += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return path;
}

bool says_rw(std::string_view options) { return options == "rw" || options.starts_with("rw,"); }

/// "36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/vda rw,errors=continue"; between the sixth word and "-" there are any number.
std::optional<MountRow> parse_mount_row(std::string_view line) {
  constexpr std::size_t device = 2, path = 4, options = 5;
  const std::vector<std::string_view> words = process::words_of(line);
  const auto dash = std::find(words.begin(), words.end(), "-");
  if (words.size() <= options || dash - words.begin() <= static_cast<std::ptrdiff_t>(options) || words.end() - dash < 4)
    return std::nullopt;
  const bool is_ours = words[path].starts_with("/run/vigil/layers/");   // what "/" is made of: told once is enough
  const bool is_local = std::find(std::begin(local_types), std::end(local_types), dash[1]) != std::end(local_types);
  return MountRow{std::string(words[device]), unescaped(words[path]), is_local && !is_ours && says_rw(words[options]) && says_rw(dash[3])};
}

}  // namespace

std::vector<std::string> writable_mounts(std::string_view mountinfo) {
  std::vector<MountRow> rows;
  while (!mountinfo.empty()) {
    const std::size_t end = std::min(mountinfo.find('\n'), mountinfo.size());
    if (auto row = parse_mount_row(mountinfo.substr(0, end))) {
      std::erase_if(rows, [&](const MountRow& hidden) { return hidden.path == row->path; });  // the later one lies over it
      rows.push_back(std::move(*row));
    }
    mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
  }
  std::stable_partition(rows.begin(), rows.end(), [](const MountRow& row) { return row.path == "/"; });
  std::vector<std::string> mounts;
  std::set<std::string> devices;
  for (const MountRow& row : rows)
    if (row.counts && row.path.size() <= max_path_bytes && mounts.size() < max_mounts && devices.insert(row.device).second)
      mounts.push_back(row.path);
  return mounts;
}

}  // namespace vigil::guest::health

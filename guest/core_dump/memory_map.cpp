#include "guest/core_dump/memory_map.hpp"

#include "guest/process/words.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace vigil::guest::core_dump {
namespace {

struct MapLine {
  std::uint64_t start = 0, end = 0, offset = 0;
  std::string_view permissions, device_and_inode, path;
};

bool parse_map_line(std::string_view line, MapLine& map) {
  // START-END PERMS OFFSET DEVICE INODE   PATH
  const auto next = [&line] {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
  };
  const std::string_view range = next();
  map.permissions = next();
  const std::string_view offset = next();
  const std::string_view rest = line;
  const std::string_view device = next(), inode = next();
  map.device_and_inode = rest.substr(0, device.size() + 1 + inode.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  map.path = line;
  const std::size_t dash = range.find('-');
  return dash != range.npos && map.permissions.size() == 4 && process::parse_whole(range.substr(0, dash), map.start, 16) &&
         process::parse_whole(range.substr(dash + 1), map.end, 16) && process::parse_whole(offset, map.offset, 16) &&
         map.start < map.end && map.offset <= map.start;
}

/// As map_files spells it: maps fills up the low addresses of a program at a fixed place with zeros, map_files knows none of such a name.
std::string name_of_mapping(const MapLine& map) {
  char name[2 * 16 + 2];
  const auto start = std::to_chars(name, name + 16, map.start, 16).ptr;
  *start = '-';
  return {name, std::to_chars(start + 1, start + 17, map.end, 16).ptr};
}

bool is_module_name(std::string_view path) { return path.starts_with('/') || path == "[vdso]"; }

/// Opened for reading only once it is known to be a regular file: to open a device may do things.
UniqueFd open_mapped(const std::string& directory, const Module& module) {
  const UniqueFd place(::open((directory + module.one_mapping).c_str(), O_PATH | O_CLOEXEC));
  struct stat status{};
  if (!place || ::fstat(place.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return UniqueFd(::open(("/proc/self/fd/" + std::to_string(place.get())).c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace

std::vector<Module> parse_maps(std::string_view maps) {
  std::vector<Module> modules;
  std::string_view last_file;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    MapLine map;
    if (!parse_map_line(line, map) || !is_module_name(map.path)) continue;
    if (modules.empty() || map.device_and_inode != last_file || map.path != modules.back().path || map.offset == 0) {
      if (!modules.empty() && !modules.back().has_code) modules.pop_back();   // data, or an archive of locales
      if (modules.size() == max_modules) return modules;
      modules.push_back({std::string(map.path), map.start - map.offset, map.end, name_of_mapping(map), false, {}, {}});
      last_file = map.device_and_inode;
    }
    modules.back().end = std::max(modules.back().end, map.end);
    modules.back().has_code |= map.permissions[2] == 'x';
  }
  if (!modules.empty() && !modules.back().has_code) modules.pop_back();
  return modules;
}

void open_modules(std::vector<Module>& modules, pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/map_files/";
  for (Module& module : modules)
    if (module.path.starts_with('/')) module.file = open_mapped(directory, module);
}

}  // namespace vigil::guest::core_dump

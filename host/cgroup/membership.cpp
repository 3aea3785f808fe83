#include "host/cgroup/membership.hpp"

#include "host/cgroup/leaf.hpp"

#include <sys/stat.h>

#include <array>
#include <sstream>
#include <string_view>

namespace vigil::cgroup {

namespace {

constexpr std::array<std::string_view, 3> controllers = {"memory", "cpuacct", "pids"};

bool lists(std::string_view comma_separated, std::string_view word) {
  while (!comma_separated.empty()) {
    const auto comma = comma_separated.find(',');
    if (comma_separated.substr(0, comma) == word) return true;
    if (comma == std::string_view::npos) return false;
    comma_separated.remove_prefix(comma + 1);
  }
  return false;
}

/// Controller -> mount point; "" for cgroup2.
std::map<std::string, std::string> parse_mounts(const std::string& text) {
  std::map<std::string, std::string> found;
  std::istringstream lines(text);
  std::string device, point, type, options, rest;
  while (lines >> device >> point >> type >> options && std::getline(lines, rest)) {
    if (type == "cgroup2") found.emplace("", point);
    if (type != "cgroup") continue;
    for (const auto controller : controllers)
      if (lists(options, controller)) found.emplace(controller, point);
  }
  return found;
}

/// Controller -> path within its hierarchy; "" for cgroup2. Lines read "ID:controller,controller:/path".
std::map<std::string, std::string> parse_paths(const std::string& text) {
  std::map<std::string, std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (names.empty()) found[""] = path;
    for (const auto controller : controllers)
      if (lists(names, controller)) found[std::string(controller)] = path;
  }
  return found;
}

/// In a container the path may be one of the host's: then the mount point is all that is ours.
std::string own_directory(const std::string& mount, const std::string& path) {
  struct stat status {};
  const std::string whole = path == "/" ? mount : mount + path;
  return ::stat(whole.c_str(), &status) == 0 ? whole : mount;
}

}  // namespace

std::string place_of_groups(Version version, const std::string& own) {
  const std::string ending = "/" + std::string(leaf_name);
  const bool is_leaf = version == Version::v2 && own.ends_with(ending) && own.size() > ending.size();
  return is_leaf ? own.substr(0, own.size() - ending.size()) : own;
}

Result<Membership> parse_membership(const std::string& mounts, const std::string& self) {
  const auto mounted = parse_mounts(mounts);
  const auto paths = parse_paths(self);
  Membership membership;
  for (const auto& [controller, mount] : mounted)
    if (const auto path = paths.find(controller); path != paths.end()) membership.directories[controller] = own_directory(mount, path->second);
  if (membership.directories.contains("memory")) {
    membership.version = Version::v1;
    membership.directories.erase("");
    return membership;
  }
  const auto unified = membership.directories.find("");
  if (unified == membership.directories.end()) return Error(Errc::unsupported, "cgroups: neither v2 nor v1's memory controller is mounted");
  membership.directories = {{"", unified->second}};
  return membership;
}

}  // namespace vigil::cgroup

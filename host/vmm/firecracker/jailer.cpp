#include "host/vmm/firecracker/jailer.hpp"

#include <algorithm>

namespace vigil::vmm::firecracker {

namespace {

constexpr std::size_t max_id = 64;

bool is_id_character(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; }
bool climbs(const std::string& path) { return ("/" + path + "/").find("/../") != std::string::npos; }
bool is_cgroup_file(const std::string& name) {
  return !name.empty() && name.find_first_of("/=") == std::string::npos && name.find('.') != std::string::npos;
}

Result<void> check_jail(const JailSpec& spec) {
  const auto refuse = [](const std::string& why) { return Error(Errc::invalid, "jailer: " + why); };
  if (spec.id.empty() || spec.id.size() > max_id || !std::all_of(spec.id.begin(), spec.id.end(), is_id_character))
    return refuse("the id \"" + spec.id.substr(0, max_id) + "\": 1 to 64 letters, digits and '-'");
  for (const std::string& path : {spec.jailer, spec.firecracker, spec.chroot_base})
    if (!path.starts_with('/') || climbs(path)) return refuse("\"" + path + "\" is no absolute path without '..'");
  if (spec.uid == 0 || spec.gid == 0) return refuse("Firecracker must not be root in its jail: give it a uid and a gid");
  if (spec.cgroup_version != 1 && spec.cgroup_version != 2)
    return refuse("control groups have version 1 or 2, not " + std::to_string(spec.cgroup_version));
  if (spec.parent_cgroup.starts_with('/') || climbs(spec.parent_cgroup))
    return refuse("\"" + spec.parent_cgroup + "\" leads out of the control groups' mount");
  for (const auto& [file, value] : spec.cgroup)
    if (!is_cgroup_file(file) || value.empty()) return refuse("\"" + file + "=" + value + "\" is no setting of a control group");
  return {};
}

}  // namespace

std::string jail_root(const JailSpec& spec) {
  return spec.chroot_base + "/" + spec.firecracker.substr(spec.firecracker.rfind('/') + 1) + "/" + spec.id + "/root";
}

std::string outside_jail(const JailSpec& spec, const std::string& inside) {
  return jail_root(spec) + (inside.starts_with('/') ? "" : "/") + inside;
}

Result<std::vector<std::string>> jailer_arguments(const JailSpec& spec, const std::vector<std::string>& flags) {
  TRY_VOID(check_jail(spec));
  std::vector<std::string> argv = {spec.jailer,
                                   "--id",
                                   spec.id,
                                   "--exec-file",
                                   spec.firecracker,
                                   "--uid",
                                   std::to_string(spec.uid),
                                   "--gid",
                                   std::to_string(spec.gid),
                                   "--chroot-base-dir",
                                   spec.chroot_base,
                                   "--cgroup-version",
                                   std::to_string(spec.cgroup_version)};
  if (!spec.parent_cgroup.empty()) argv.insert(argv.end(), {"--parent-cgroup", spec.parent_cgroup});
  for (const auto& [file, value] : spec.cgroup) argv.insert(argv.end(), {"--cgroup", file + "=" + value});
  if (spec.max_open_files) argv.insert(argv.end(), {"--resource-limit", "no-file=" + std::to_string(*spec.max_open_files)});
  if (!spec.netns.empty()) argv.insert(argv.end(), {"--netns", spec.netns});
  argv.emplace_back("--");
  argv.insert(argv.end(), flags.begin(), flags.end());
  return argv;
}

}  // namespace vigil::vmm::firecracker

// "VM:/path" on the command line. What holds no colon, or a slash before it, is a local path.
#pragma once

#include <optional>
#include <string>

namespace vigil::cli {

struct VmPath {
  std::string vm, path;
};
std::optional<VmPath> parse_vm_path(const std::string& word);
/// The last component: "b" of "/a/b/".
std::string last_component(std::string path);

}  // namespace vigil::cli

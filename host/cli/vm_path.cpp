#include "host/cli/vm_path.hpp"

namespace vigil::cli {

std::optional<VmPath> parse_vm_path(const std::string& word) {
  const auto colon = word.find(':');
  if (colon == std::string::npos || colon == 0 || word.find('/') < colon) return std::nullopt;
  return VmPath{word.substr(0, colon), word.substr(colon + 1)};
}

std::string last_component(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

}  // namespace vigil::cli

#include "host/cgroup/leaf.hpp"

#include "host/cgroup/membership.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>

namespace vigil::cgroup {

namespace {

constexpr std::array<std::string_view, 4> wanted_controllers = {"memory", "cpu", "pids", "io"};

std::string whole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<void> put(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return Error::from_errno("open " + path, errno);
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int error = errno;
  ::close(fd);
  if (written < 0) return Error::from_errno("write " + path, error);
  return {};
}

/// One at a time: a controller that this kernel refuses must not take the others along.
std::vector<std::string> hand_on_controllers(const std::string& group) {
  std::istringstream offered(whole(group + "/cgroup.controllers"));
  std::vector<std::string> handed_on;
  for (std::string name; offered >> name;)
    for (const auto wanted : wanted_controllers)
      if (name == wanted && put(group + "/cgroup.subtree_control", "+" + name)) handed_on.push_back(name);
  return handed_on;
}

}  // namespace

bool is_delegated(const std::string& directory) {
  for (const char* const attribute : {"user.delegate", "trusted.delegate"}) {
    char value[8] = {};
    if (::getxattr(directory.c_str(), attribute, value, sizeof value - 1) > 0 && value[0] == '1') return true;
  }
  return false;
}

Result<Leaf> enter_leaf(const std::string& mounts, const std::string& self) {
  const auto membership = parse_membership(whole(mounts), whole(self));
  if (!membership || membership->version != Version::v2) return Leaf{};
  const auto own = membership->directories.at("");
  const auto above = place_of_groups(Version::v2, own);
  if (above != own && is_delegated(above)) return Leaf{LeafState::born_in, above, hand_on_controllers(above)};
  if (!is_delegated(own)) return Leaf{};
  const std::string leaf = own + "/" + std::string(leaf_name);
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return Error::from_errno("mkdir " + leaf, errno);
  TRY_VOID(put(leaf + "/cgroup.procs", std::to_string(::getpid())));
  return Leaf{LeafState::entered, own, {}};
}

}  // namespace vigil::cgroup

#include "host/vmm/programs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace vigil::vmm {

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string find_in_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories((path ? std::string(path) : "/usr/bin:/bin") + ":/usr/sbin:/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + name;
    if (directory.starts_with("/") && is_program(candidate)) return candidate;
  }
  return {};
}

Result<std::string> first_program(const std::string& what, const std::vector<std::string>& candidates) {
  std::string tried;
  for (const std::string& candidate : candidates) {
    if (candidate.empty()) continue;
    if (is_program(candidate)) return candidate;
    tried += (tried.empty() ? "" : ", ") + candidate;
  }
  return Error(Errc::not_found, what + ": not found" + (tried.empty() ? "" : ", looked for " + tried));
}

Result<std::string> find_firecracker() {
  constexpr const char* name = "firecracker";
  if (const char* const chosen = std::getenv("VIGIL_FIRECRACKER")) return first_program("Firecracker", {chosen});
  const std::string found = find_in_path(name);
  if (found.empty()) return Error(Errc::not_found, std::string("Firecracker: no ") + name + " in PATH; install a release of it, or set VIGIL_FIRECRACKER");
  return found;
}

Result<std::string> find_qemu() {
  constexpr const char* name = "qemu-system-x86_64";
  if (const char* const chosen = std::getenv("VIGIL_QEMU")) return first_program("QEMU", {chosen});
  const std::string found = find_in_path(name);
  if (found.empty()) return Error(Errc::not_found, std::string("QEMU: no ") + name + " in PATH");
  return found;
}

}  // namespace vigil::vmm

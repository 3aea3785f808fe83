#include "host/shim/passed_files.hpp"

#include "host/async/unix_listener.hpp"

#include <fcntl.h>

#include <cerrno>

namespace vigil::shim {

Result<std::vector<Opened>> open_for_vmm(const vmm::LaunchPlan& plan) {
  constexpr unsigned owner_only = 0600;
  constexpr int backlog = 8;
  std::vector<Opened> opened;
  for (const auto& file : plan.files) {
    const int mode = file.access == vmm::Access::read_only ? O_RDONLY : O_RDWR;
    UniqueFd source(::open(file.path.c_str(), mode | O_CLOEXEC));
    if (!source) return Error::from_errno("open " + file.path, errno);
    opened.push_back({std::move(source), file.fd});
  }
  for (const auto& listener : plan.listeners) {
    TRY(source, async::listen_unix(listener.path, owner_only, backlog));
    opened.push_back({std::move(source), listener.fd});
  }
  return opened;
}

}  // namespace vigil::shim

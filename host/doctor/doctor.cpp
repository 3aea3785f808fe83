#include "host/doctor/doctor.hpp"

#include "host/doctor/checks.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace vigil::doctor {

std::vector<Check> examine(const Places& places) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);   // the daemon raises its soft limit to the hard one
  return {check_kvm("/dev/kvm"), check_qemu(), check_vsock_device(places.program_dir), check_firecracker("/dev/kvm"), check_open_files(files.rlim_max),
          check_disk(places.state_dir), check_directory("state-dir", places.state_dir), check_run_dir(places.run_dir), check_image_tools()};
}

CheckStatus worst(const std::vector<Check>& checks) {
  const auto found = std::max_element(checks.begin(), checks.end(), [](const Check& a, const Check& b) { return a.status < b.status; });
  return found == checks.end() ? CheckStatus::ok : found->status;
}

}  // namespace vigil::doctor

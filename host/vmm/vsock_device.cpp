#include "host/vmm/vsock_device.hpp"

#include "host/vmm/programs.hpp"

#include <cstdlib>

namespace vigil::vmm {

namespace {

constexpr const char* name = "vhost-device-vsock";
std::string vhost_socket(const std::string& run_dir) { return run_dir + "/vhost.sock"; }

}  // namespace

Result<std::string> find_vsock_device(const std::string& daemon_dir) {
  if (const char* const chosen = std::getenv("VIGIL_VSOCK_DEVICE")) return first_program(name, {chosen});
  // build/<preset>/bin is where a built tree has its programs, build/tools what `./dev setup` fetched.
  return first_program(name, {daemon_dir + "/" + name, daemon_dir + "/../../tools/" + name, find_in_path(name), std::string("/usr/libexec/vigil/") + name});
}

std::string vsock_uds_path(const std::string& run_dir) { return run_dir + "/vsock"; }
std::string vsock_listen_path(const std::string& run_dir, std::uint32_t port) { return vsock_uds_path(run_dir) + "_" + std::to_string(port); }

DevicePlan vsock_device_plan(const std::string& program, std::uint32_t cid, const std::string& run_dir) {
  DevicePlan plan;
  plan.argv = {program, "--guest-cid", std::to_string(cid), "--socket", vhost_socket(run_dir), "--uds-path", vsock_uds_path(run_dir)};
  plan.socket = vhost_socket(run_dir);
  return plan;
}

}  // namespace vigil::vmm

// What vigil-shim has to do for one run. Travels as JSON through an inherited descriptor.
//
// Shape:  run_dir and log_dir exist already. In run_dir the shim makes shim.sock (0600), the doors and the plan's listeners, in log_dir console.log, vmm.log
//         and exit.json. When `credentials` are given (the daemon is root) the VMM and its device run under them, with no_new_privs; then the
//         caller has made run_dir (0700), and what stands in it for the device to dial, theirs.
#pragma once

#include "host/shim/bounded_file.hpp"
#include "host/vmm/launch_plan.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::shim {

struct Credentials {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;            // supplementary ones, such as that of /dev/kvm
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// A socket that the guest reaches by dialling `port` on its host.
struct Door {
  std::string path;                             // run/ID/vsock_PORT
  std::uint32_t port = 0;
  friend bool operator==(const Door&, const Door&) = default;
};

struct ShimSpec {
  InstanceId instance;
  RunNumber run;
  std::string run_dir;                          // run/ID
  std::string log_dir;                          // state/instances/ID/runs/N
  vmm::LaunchPlan plan;
  std::optional<Credentials> credentials;
  KeepCaps console = console_caps;
  KeepCaps vmm_log = vmm_log_caps;
  std::vector<Door> doors{};                    // bound before the device starts
  std::string dial_path;                        // the guest's hybrid-vsock socket: run/ID/vsock; empty: nobody is dialled
  friend bool operator==(const ShimSpec&, const ShimSpec&) = default;
};

std::string encode_shim_spec(const ShimSpec& spec);
Result<ShimSpec> parse_shim_spec(std::string_view json);

std::string shim_socket_path(const std::string& run_dir);       // <run_dir>/shim.sock
std::string console_log_path(const std::string& log_dir);
std::string vmm_log_path(const std::string& log_dir);
std::string exit_record_path(const std::string& log_dir);

}  // namespace vigil::shim

// vhost-device-vsock: gives a QEMU guest the vsock contract that Firecracker has (a Unix socket a VM, "<uds>_PORT" for the guest's dials).
//
// Source: CONTRACTS "Streams", tech.md 3.4. Paths of the run: <run_dir>/vhost.sock (QEMU dials), <run_dir>/vsock (host dials), <run_dir>/vsock_PORT.
#pragma once

#include "host/vmm/launch_plan.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <string>

namespace vigil::vmm {

/// In this order: $VIGIL_VSOCK_DEVICE, beside the daemon, its build tree's tools folder, PATH, /usr/libexec/vigil.
/// Errors: Errc::not_found, naming where it was looked for.
Result<std::string> find_vsock_device(const std::string& daemon_dir);

std::string vsock_uds_path(const std::string& run_dir);                       // host dials: connect, "CONNECT 5253\n"
std::string vsock_listen_path(const std::string& run_dir, std::uint32_t port);  // guest dials: bind this before the run starts

DevicePlan vsock_device_plan(const std::string& program, std::uint32_t cid, const std::string& run_dir);

}  // namespace vigil::vmm

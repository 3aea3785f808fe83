// VmSpec -> Firecracker's command line, its files, and the orders that start the guest.
//
// Shape:  pure. Files come as descriptors from the shim and are opened anew by Firecracker as /proc/self/fd/N, with its own user's rights: so that user needs
//         no way into any directory but the run's. Its log goes to stderr (vmm.log) from the first line, so that stdout holds the console alone; from 1.14 on
//         the console has a descriptor of its own, and what Firecracker itself prints to stdout is in vmm.log too.
// Source: firecracker's main.rs flags; docs/logger.md; docs/kernel-policy.md (command line of at most 2048 bytes).
#pragma once

#include "host/vmm/firecracker/version.hpp"
#include "host/vmm/vmm.hpp"

#include <string>
#include <vector>

namespace vigil::vmm::firecracker {

std::string api_socket(const std::string& run_dir);

/// Without --version and the like: what stands behind the program's name, also behind the jailer's "--".
std::vector<std::string> firecracker_flags(const std::string& api_socket, const std::string& log_path);

/// `program` is an absolute path. Errors: Errc::limit for a socket path or a command line that is too long; Errc::invalid for a spec that cannot be.
Result<LaunchPlan> make_launch_plan(const VmSpec& spec, const std::string& program, const Version& version);

}  // namespace vigil::vmm::firecracker

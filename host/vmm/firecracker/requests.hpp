// What Firecracker is told over its API: every request that this driver can make, as a value.
//
// Shape:  pure. Bodies hold only fields that the API knows: Firecracker refuses the rest. Disks are attached in the order of their PUTs, so the first is
//         /dev/vda in the guest, the second /dev/vdb; none is a "root device", which would append root= to the command line that is ours.
// Source: firecracker's swagger (a test holds every request against it); docs/vsock.md, docs/api_requests/actions.md.
#pragma once

#include "host/vmm/vmm.hpp"

#include <string>
#include <vector>

namespace vigil::vmm::firecracker {

/// Where the VMM finds its files: paths as it sees them.
struct VmmPaths {
  std::string kernel, initrd;  // initrd empty: none
  std::vector<std::string> disks;  // as VmSpec::disks
  std::string vsock;  // made by the VMM
  std::string serial;  // empty: this version has no PUT /serial, the console is its stdout
  friend bool operator==(const VmmPaths&, const VmmPaths&) = default;
};

/// From an empty VMM to a guest that starts: InstanceStart is the last one.
std::vector<ControlRequest> boot_requests(const VmSpec& spec, const VmmPaths& paths);

ControlRequest start_request();
ControlRequest ctrl_alt_del_request();
ControlRequest pause_request();
ControlRequest resume_request();
ControlRequest instance_request();  // GET /: is it running?
ControlRequest version_request();  // GET /version

}  // namespace vigil::vmm::firecracker

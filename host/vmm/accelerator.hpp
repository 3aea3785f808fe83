// KVM or TCG, and why.
#pragma once

#include "shared/protocol/state.hpp"

#include <string>
#include <string_view>

namespace vigil::vmm {

struct AcceleratorChoice {
  protocol::Accelerator accelerator = protocol::Accelerator::tcg;
  std::string why;                              // "/dev/kvm works", "/dev/kvm: No such file or directory", ...
  friend bool operator==(const AcceleratorChoice&, const AcceleratorChoice&) = default;
};

/// Whether the text of /proc/cpuinfo offers vmx or svm. Without either, what answers as KVM (a paravirtual one, say) does not run an ordinary guest.
bool has_virtualisation_flag(std::string_view cpuinfo);

/// Opens the device read-write and makes a VM of it, for a KVM that is there may still be busy, of another interface version, or closed to the users
/// that VMMs run as.
AcceleratorChoice detect_accelerator(const std::string& device = "/dev/kvm");

}  // namespace vigil::vmm

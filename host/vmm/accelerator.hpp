// KVM or TCG, and why.
#pragma once

#include "shared/protocol/state.hpp"

#include <string>

namespace vigil::vmm {

struct AcceleratorChoice {
  protocol::Accelerator accelerator = protocol::Accelerator::tcg;
  std::string why;                              // "/dev/kvm works", "/dev/kvm: No such file or directory", ...
  friend bool operator==(const AcceleratorChoice&, const AcceleratorChoice&) = default;
};

/// Opens the device read-write and makes a VM of it, for a KVM that is there may still be busy or of another interface version.
AcceleratorChoice detect_accelerator(const std::string& device = "/dev/kvm");

}  // namespace vigil::vmm

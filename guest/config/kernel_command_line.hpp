// What the host says on the kernel command line, read once.
//
// Shape:  vigil.vm=ID vigil.image=DIGEST vigil.accel=kvm|tcg vigil.root=SERIAL vigil.overlay=SERIAL; quotes group blanks, the last of two equal keys wins.
// Errors: a key that is missing or whose value is unknown keeps its default; what was not understood is in `problems`.
// Source: kernel-parameters(7); the host's argument builder.
#pragma once

#include "shared/protocol/state.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::config {

struct KernelCommandLine {
  std::string vm;                                            // empty: this is not a VM of ours
  std::string image;                                         // manifest digest
  protocol::Accelerator accelerator = protocol::Accelerator::kvm;
  std::string root_serial = "vigil-root";
  std::string overlay_serial = "vigil-overlay";
  std::vector<std::string> problems;
  friend bool operator==(const KernelCommandLine&, const KernelCommandLine&) = default;
};

KernelCommandLine parse_kernel_command_line(std::string_view text);

}  // namespace vigil::guest::config

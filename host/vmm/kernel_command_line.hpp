// The kernel's command line, as the guest agent and the console reader expect it.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/protocol/state.hpp"

#include <cstdint>
#include <string>

namespace vigil::vmm {

inline constexpr const char* root_serial = "vigil-root";
inline constexpr const char* overlay_serial = "vigil-overlay";

struct CommandLine {
  InstanceId id;
  std::string image_digest;
  protocol::Accelerator accelerator = protocol::Accelerator::tcg;
  std::uint64_t tsc_khz = 0;                    // used under TCG only; 0: the guest calibrates by itself
  std::string extra;                            // appended as it is: the spec's kernel_args
};

std::string kernel_command_line(const CommandLine& wanted);

}  // namespace vigil::vmm

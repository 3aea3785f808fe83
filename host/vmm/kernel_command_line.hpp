// The kernel's command line, as the guest agent and the console reader expect it.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/protocol/state.hpp"

#include <cstdint>
#include <string>

namespace vigil::vmm {

inline constexpr const char* root_serial = "vigil-root";
inline constexpr const char* overlay_serial = "vigil-overlay";
inline constexpr const char* overlay_in_memory = "memory";   // in place of a disk: what the guest writes is in its memory

/// Powering off ends a machine with ACPI; one without stays as it is, so the guest resets it instead.
enum class PowerOff { acpi, by_reset };

/// What a guest has to know of the machine that its VMM makes.
struct GuestMachine {
  std::string reboot = "t";                     // the kernel's reboot=: t triple fault, k keyboard controller
  PowerOff power_off = PowerOff::acpi;
  std::string root = root_serial, overlay = overlay_serial;   // virtio serials, or /dev/NAME where the VMM gives disks no serial of ours
};

struct CommandLine {
  InstanceId id;
  std::string image_digest;
  protocol::Accelerator accelerator = protocol::Accelerator::tcg;
  std::uint64_t tsc_khz = 0;                    // used under TCG only; 0: the guest calibrates by itself
  std::string extra;                            // appended as it is: the spec's kernel_args
  GuestMachine machine;
};

std::string kernel_command_line(const CommandLine& wanted);

}  // namespace vigil::vmm

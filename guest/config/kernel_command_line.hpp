// What the host says on the kernel command line, read once.
//
// Shape:  vigil.vm=ID vigil.image=DIGEST vigil.accel=kvm|tcg vigil.root=SERIAL vigil.overlay=SERIAL
//         vigil.poweroff=acpi|reset; in place of a SERIAL /dev/NAME, where a VMM gives disks no serial. Quotes group blanks, the last of two equal keys wins.
// Errors: a key that is missing or whose value is unknown keeps its default; what was not understood is in `problems`.
// Source: kernel-parameters(7); the host's argument builder.
#pragma once

#include "shared/protocol/state.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::config {

inline constexpr const char* overlay_in_memory = "memory";   // of vigil.overlay: there is no disk to write on

enum class PowerOff { acpi, reset };   // how this machine is ended: one without ACPI ends by a reset only

struct KernelCommandLine {
  std::string vm;                                            // empty: this is not a VM of ours
  std::string image;                                         // manifest digest
  protocol::Accelerator accelerator = protocol::Accelerator::kvm;
  std::string root_serial = "vigil-root";
  std::string overlay_serial = "vigil-overlay";   // or overlay_in_memory
  PowerOff power_off = PowerOff::acpi;
  std::vector<std::string> problems;
  friend bool operator==(const KernelCommandLine&, const KernelCommandLine&) = default;
};

KernelCommandLine parse_kernel_command_line(std::string_view text);

}  // namespace vigil::guest::config

namespace vigil {
template <> inline constexpr auto enum_table<guest::config::PowerOff> = make_enum_table<guest::config::PowerOff>({
    {guest::config::PowerOff::acpi, "acpi"}, {guest::config::PowerOff::reset, "reset"}});
}  // namespace vigil

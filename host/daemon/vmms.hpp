// The VMMs of this machine, and which one a VM runs on.
#pragma once

#include "host/machine/instance_spec.hpp"
#include "host/vmm/vmm.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace vigil::daemon {

struct Vmm {
  std::unique_ptr<vmm::VmmDriver> driver;  // null: error says why
  std::string error;
  std::string version;                     // QEMU's is known once it has been asked
};

struct Vmms {
  Vmm qemu, firecracker;
  vmm::VmmKind preferred = vmm::VmmKind::automatic;   // what VMs that leave the choice run on; after find_vmms() one of the two

  /// "auto" is the preferred one.
  Vmm& chosen_by(machine::VmmChoice choice);
  /// The same, and when it is missing it is looked for again: it may have been installed since.
  Vmm& found_by(machine::VmmChoice choice);
  /// By VmmDriver::name(), as a run's first event has it; for an unknown name what `choice` says.
  Vmm& of_run(std::string_view name, machine::VmmChoice choice);

  std::string program_dir;                            // of find_vmms()
};

/// Looks for both. "automatic" prefers QEMU where it is installed. What is missing is logged when it is the preferred one: the daemon serves all the same, for what is stored can be read.
void find_vmms(Vmms& vmms, const std::string& program_dir);

}  // namespace vigil::daemon

#include "host/daemon/vmms.hpp"

#include "host/vmm/driver_factory.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>

namespace vigil::daemon {

namespace {

void find_one(Vmm& vmm, vmm::VmmKind kind, const std::string& program_dir) {
  auto driver = vmm::make_driver(kind, program_dir);
  if (!driver) {
    vmm.error = driver.error().message();
    return;
  }
  vmm.driver = std::move(*driver);
  vmm.error.clear();
  vmm.version = vmm.driver->version();
}

}  // namespace

Vmm& Vmms::chosen_by(machine::VmmChoice choice) {
  switch (choice) {
    case machine::VmmChoice::qemu: return qemu;
    case machine::VmmChoice::firecracker: return firecracker;
    case machine::VmmChoice::automatic: return preferred == vmm::VmmKind::firecracker ? firecracker : qemu;
  }
  std::abort();
}

Vmm& Vmms::found_by(machine::VmmChoice choice) {
  Vmm& chosen = chosen_by(choice);
  if (chosen.driver) return chosen;
  find_one(chosen, &chosen == &qemu ? vmm::VmmKind::qemu : vmm::VmmKind::firecracker, program_dir);
  if (chosen.driver) spdlog::info("daemon.vmm_found name={} version={}", chosen.driver->name(), chosen.version);
  return chosen;
}

Vmm& Vmms::of_run(std::string_view name, machine::VmmChoice choice) {
  for (Vmm* vmm : {&qemu, &firecracker})
    if (vmm->driver && vmm->driver->name() == name) return *vmm;
  return chosen_by(choice);
}

void find_vmms(Vmms& vmms, const std::string& program_dir) {
  vmms.program_dir = program_dir;
  find_one(vmms.qemu, vmm::VmmKind::qemu, program_dir);
  find_one(vmms.firecracker, vmm::VmmKind::firecracker, program_dir);
  const bool only_firecracker = vmms.firecracker.driver && !vmms.qemu.driver;
  if (vmms.preferred == vmm::VmmKind::automatic) vmms.preferred = only_firecracker ? vmm::VmmKind::firecracker : vmm::VmmKind::qemu;
  const Vmm& preferred = vmms.chosen_by(machine::VmmChoice::automatic);
  if (!preferred.driver) spdlog::warn("daemon.no_vmm err=\"{}\"", preferred.error);
  if (vmms.firecracker.driver) spdlog::info("daemon.vmm name=firecracker version={}", vmms.firecracker.version);
}

}  // namespace vigil::daemon

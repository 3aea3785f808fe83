#include "host/vmm/kernel_command_line.hpp"

namespace vigil::vmm {

std::string kernel_command_line(const CommandLine& wanted) {
  const bool emulated = wanted.accelerator == protocol::Accelerator::tcg;
  std::string line = "console=ttyS0,115200 reboot=" + wanted.machine.reboot + " panic=-1";
  // Under TCG the guest's clocks are emulated: no calibration against them, no test of the timer interrupt, and the host's counter is trusted.
  if (emulated) line += " tsc=reliable no_timer_check";
  if (emulated && wanted.tsc_khz > 0) line += " tsc_early_khz=" + std::to_string(wanted.tsc_khz);
  line += " cryptomgr.notests rcupdate.rcu_expedited=1";   // 0.6 s of an emulated boot are self tests of ciphers that nothing uses yet
  line += " vigil.vm=" + wanted.id.value() + " vigil.image=" + wanted.image_digest;
  line += " vigil.accel=" + std::string(to_text(wanted.accelerator));
  line += " vigil.root=" + wanted.machine.root + " vigil.overlay=" + wanted.machine.overlay;
  if (wanted.machine.power_off == PowerOff::by_reset) line += " vigil.poweroff=reset";
  if (!wanted.extra.empty()) line += " " + wanted.extra;
  return line;
}

}  // namespace vigil::vmm

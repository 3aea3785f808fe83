#include "guest/init/power.hpp"

#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

namespace vigil::guest::init {

void end_machine(protocol::ByeReport::Kind kind, config::PowerOff power_off) {
  ::sync();
  // The overlay is busy (we run on it), so it is made read-only: its ext4 then has a clean journal. In the initramfs there may be none.
  ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
  for (const char* target : {"/run/vigil/layers/disk", "/newroot", "/run/vigil/layers/root"}) ::umount2(target, MNT_DETACH);
  ::sync();
  const bool by_reset = kind == protocol::ByeReport::Kind::reboot || power_off == config::PowerOff::reset;   // the bye has told the host which it is
  ::reboot(by_reset ? RB_AUTOBOOT : RB_POWER_OFF);
  for (;;) {   // a kernel without power-off: try the other way, then wait to be ended from outside
    ::reboot(RB_AUTOBOOT);
    ::pause();
  }
}

}  // namespace vigil::guest::init

#include "guest/init/early.hpp"

#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vigil::guest::init {
namespace {

void open_standard_descriptors() {
  // The kernel opens them only when the initramfs holds /dev/console; without, the next file that we open would become our stderr.
  int fd = ::open("/dev/console", O_RDWR | O_NOCTTY);
  if (fd < 0) fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd < 2) fd = ::dup(fd);
  if (fd > 2) ::close(fd);
}

}  // namespace

void mount_essentials() {
  ::umask(022);
  ::mkdir("/proc", 0555);
  ::mkdir("/sys", 0555);
  ::mkdir("/dev", 0755);
  ::mkdir("/run", 0755);
  // Each may be mounted already (EBUSY); what is missing afterwards is noticed where it is needed.
  ::mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
  ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  ::mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  ::mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
  ::mkdir("/run/vigil", 0755);
  open_standard_descriptors();
  // By default the kernel drops what comes faster than ten lines in five seconds, in silence, and a boot says more than that.
  process::write_control_file("/proc/sys/kernel/printk_devkmsg", "on\n");   // refused without the newline
}

}  // namespace vigil::guest::init

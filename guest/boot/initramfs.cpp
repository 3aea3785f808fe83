#include "guest/boot/initramfs.hpp"

#include "guest/boot/disks.hpp"
#include "guest/boot/handover.hpp"
#include "guest/boot/modules.hpp"
#include "guest/boot/root_mounts.hpp"
#include "guest/boot/switch_root.hpp"
#include "guest/config/build_identity.hpp"
#include "guest/config/kernel_command_line.hpp"
#include "guest/console/boot_report.hpp"
#include "guest/init/crash_guard.hpp"
#include "guest/init/early.hpp"
#include "guest/init/self_protection.hpp"
#include "guest/init/power.hpp"
#include "guest/init/wall_clock.hpp"
#include "guest/link/guest_request.hpp"
#include "guest/link/host_line.hpp"
#include "guest/link/vsock_dial.hpp"
#include "guest/log/log.hpp"
#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace vigil::guest::boot {
namespace {

using namespace std::chrono_literals;
using protocol::Cause;
using protocol::Stage;
using Phase = protocol::StageReport::Phase;

constexpr const char* module_list = "/etc/vigil/modules";
constexpr auto disk_deadline = 500ms;   // the driver is loaded by then and finds its disks while it loads; three times that without KVM
constexpr auto bye_deadline = 500ms;
constexpr auto welcome_deadline = 500ms;   // it takes a few milliseconds, and the token is in it

class Initramfs {
public:
  Initramfs();
  [[noreturn]] void run();

private:
  void report(Stage stage, Phase phase, std::string detail = {}, std::optional<Cause> cause = {});
  std::optional<Cause> load_drivers();
  std::optional<Cause> make_root();
  std::optional<Cause> leave();
  void wait_for_welcome();
  [[noreturn]] void stay_and_tell(Stage stage, Cause cause);
  void take(const protocol::Welcome& welcome);
  void answer(const protocol::Request& request);
  void turn() { loop_.run_once(0ms); }

  config::KernelCommandLine command_line_;
  BootId boot_;
  int scale_;
  EventLoop loop_;
  link::VsockDialler dialler_;
  std::optional<protocol::Welcome> welcome_;
  link::HostLine line_;
  bool dialled_ = false;
};

BootId read_boot_id() {
  std::string text = process::read_small_file("/proc/sys/kernel/random/boot_id", 64).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return BootId(text);
}

link::LinkFacts facts_for(const BootId& boot, const config::KernelCommandLine& command_line) {
  link::LinkFacts facts;
  facts.boot = boot;
  facts.hello = {{protocol::protocol_version}, config::agent_version(), config::build_id(), command_line.image, config::kernel_release(), {}, "initrd", 1, ""};
  return facts;
}

/// The open connection goes over exec, wherever in a frame it is.
void keep_link(Handover& handover, const link::Connection& connection) {
  handover.link_welcomed = connection.welcomed;
  handover.link_unread = connection.unread;
  handover.link_unsent = connection.unsent;
  if (!connection.fd) return;
  handover.link_fd = connection.fd.get();
  ::fcntl(handover.link_fd, F_SETFD, 0);
}

Initramfs::Initramfs()
    : command_line_(config::parse_kernel_command_line(process::read_small_file("/proc/cmdline").value_or(""))),
      boot_(read_boot_id()),
      scale_(protocol::deadline_scale(command_line_.accelerator)),
      line_(loop_, dialler_, console::ConsolePort::open_in_vm(), facts_for(boot_, command_line_),
            {[this](const protocol::Welcome& welcome) { take(welcome); }, [this](const protocol::Request& request) { answer(request); }, {}}) {
  log::use(line_.console().fd(), line_.console().route() == console::Route::kernel_log ? log::Format::kernel : log::Format::plain);
  init::install_crash_guard(boot_, line_.console().fd());
}

void Initramfs::run() {
  report(Stage::initrd, Phase::begin);
  if (auto cause = load_drivers()) stay_and_tell(Stage::initrd, std::move(*cause));
  report(Stage::initrd, Phase::done);
  if (auto cause = make_root()) stay_and_tell(Stage::rootfs, std::move(*cause));
  report(Stage::rootfs, Phase::done);
  auto cause = leave();
  stay_and_tell(Stage::rootfs, std::move(*cause));   // leave() returns only when it failed
}

void Initramfs::report(Stage stage, Phase phase, std::string detail, std::optional<Cause> cause) {
  line_.reporter().submit(protocol::StageReport{stage, phase, std::move(detail), std::move(cause)});
}

std::optional<Cause> Initramfs::load_drivers() {
  const auto files = parse_module_list(process::read_small_file(module_list).value_or(""));
  auto cause = load_modules(files, [this](const std::string& file) {
    if (!dialled_ && file.find("vsock_virtio_transport.") != std::string::npos) {
      dialled_ = true;
      line_.link().start();
    }
    turn();
  });
  if (!std::exchange(dialled_, true)) line_.link().start();   // built in, or not there: dialling will tell
  return cause;
}

std::optional<Cause> Initramfs::make_root() {
  const bool has_disk = command_line_.overlay_serial != config::overlay_in_memory;
  std::vector<std::string> serials = {command_line_.root_serial};
  if (has_disk) serials.push_back(command_line_.overlay_serial);
  const auto disks = wait_for_disks(loop_, serials, disk_deadline * std::min(scale_, 3));
  const auto root = find_device(disks, command_line_.root_serial);
  if (!root)
    return protocol::make_cause(protocol::CauseCode::boot_root_missing, {{"device", command_line_.root_serial}, {"seen", describe(disks)}});
  if (auto cause = mount_root(*root)) return cause;
  turn();
  if (auto cause = check_image_id()) return cause;
  if (!has_disk) return mount_overlay_in_memory();
  const auto overlay = find_device(disks, command_line_.overlay_serial);
  if (!overlay)
    return protocol::make_cause(protocol::CauseCode::boot_overlay_failed,
                                {{"errno", "no disk " + command_line_.overlay_serial + "; seen: " + describe(disks)}});
  auto cause = mount_overlay(*overlay);
  turn();
  return cause;
}

std::optional<Cause> Initramfs::leave() {
  const auto mode = parse_init_mode(process::read_small_file(init_mode_file).value_or(""));
  if (!mode) return protocol::make_cause(protocol::CauseCode::boot_init_missing, {{"path", init_mode_file}}, {mode.error().message()});
  if (auto cause = install_agent()) return cause;
  turn();
  if (*mode == InitMode::systemd) wait_for_welcome();
  auto connection = line_.link().release();
  Handover handover;
  handover.outbox = line_.outbox().state();
  handover.welcome = welcome_;
  if (*mode == InitMode::pid1) keep_link(handover, connection);   // systemd keeps no descriptor that it does not know: the agent dials again
  if (const auto written = write_handover(handover, boot_); !written) log::error("handover.not_written", {{"err", written.error().message()}});
  Cause cause = switch_root_and_exec(*mode);
  line_.link().resume(std::move(connection));
  return cause;
}

/// A link that is closed before its welcome has come takes the token of this boot with it.
void Initramfs::wait_for_welcome() {
  bool over = false;
  const LoopToken deadline = loop_.after(welcome_deadline * scale_, [&over] { over = true; });
  while (!welcome_ && !over) loop_.run_once(100ms);
}

void Initramfs::stay_and_tell(Stage stage, Cause cause) {
  console::BootSummary summary{false, loop_.now_us(), line_.link().describe(), {}, cause};
  report(stage, Phase::failed, {}, std::move(cause));
  line_.console().print_text(console::boot_report(summary));
  loop_.run();
  init::end_machine(protocol::ByeReport::Kind::reboot, command_line_.power_off);   // run() ends only by stop(), which nobody calls
}

void Initramfs::take(const protocol::Welcome& welcome) {
  welcome_ = welcome;
  init::adopt_wall_clock(welcome.wall_unix_us);
}

void Initramfs::answer(const protocol::Request& request) {
  const auto parsed = link::parse_guest_request(request);
  const auto* shutdown = parsed ? std::get_if<link::ShutdownRequest>(&*parsed) : nullptr;
  if (!shutdown) {
    line_.link().reply({request.id, false, parsed ? "this VM did not get beyond its initramfs" : parsed.error().message(), "{}"});
    return;
  }
  line_.link().reply({request.id, true, {}, "{}"});
  const auto kind = shutdown->kind;
  line_.say_bye({kind, "host", true}, bye_deadline * scale_, [kind, power_off = command_line_.power_off] { init::end_machine(kind, power_off); });
}

}  // namespace

bool is_initramfs() { return ::getpid() == 1 && ::access(module_list, R_OK) == 0 && ::access("/init", X_OK) == 0; }

void run_initramfs() {
  init::mount_essentials();
  init::protect_from_oom();
  // Static storage: nothing of it is destroyed, whatever happens, while PID 1 lives.
  static Initramfs initramfs;
  initramfs.run();
}

}  // namespace vigil::guest::boot

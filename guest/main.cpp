// vigil-guest: one binary, three lives. /init of the initramfs, init of the root, and a process of a developer's machine.
#include "guest/agent/agent.hpp"
#include "guest/agent/check.hpp"
#include "guest/boot/initramfs.hpp"
#include "guest/boot/switch_root.hpp"
#include "guest/config/agent_options.hpp"
#include "guest/config/build_identity.hpp"
#include "guest/config/kernel_command_line.hpp"
#include "guest/control/commands.hpp"
#include "guest/files/worker.hpp"
#include "guest/init/crash_guard.hpp"
#include "guest/init/power.hpp"
#include "guest/init/self_protection.hpp"
#include "guest/init/system_setup.hpp"
#include "guest/journal/keep_crashes.hpp"
#include "guest/link/unix_dial.hpp"
#include "guest/link/vsock_dial.hpp"
#include "guest/log/log.hpp"
#include "guest/process/file_limit.hpp"
#include "guest/process/remove_tree.hpp"
#include "guest/process/small_file.hpp"
#include "guest/signin/open_url.hpp"
#include "guest/streams/file_worker.hpp"
#include "guest/upgrade/codec.hpp"
#include "guest/upgrade/memory_file.hpp"
#include "guest/upgrade/trial.hpp"
#include "shared/protocol/codec.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace vigil::guest {
namespace {

constexpr int exit_usage = 2;

std::string kernel_boot_id() {
  std::string text = process::read_small_file("/proc/sys/kernel/random/boot_id", 64).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Its only return is the end of the machine.
[[noreturn]] void be_init() {
  const auto command_line = config::parse_kernel_command_line(process::read_small_file("/proc/cmdline").value_or(""));
  auto console = console::ConsolePort::open_in_vm();
  log::use(console.fd(), console.route() == console::Route::kernel_log ? log::Format::kernel : log::Format::plain);

  agent::AgentSetup setup;
  setup.place = agent::Place::vm;
  setup.boot = BootId(kernel_boot_id());
  init::install_crash_guard(setup.boot, console.fd());
  init::protect_from_oom();
  process::raise_file_limit();
  if (auto left = boot::take_handover()) {
    setup.left = std::move(*left);
  } else {
    log::error("handover.lost", {{"err", left.error().message()}});
    setup.left.outbox = boot::unknown_numbers();
  }
  const auto system = init::set_up_system();
  setup.problems = system.problems;
  if (auto refused = init::protect_from_reclaim(system.has_cgroups ? "/sys/fs/cgroup" : ""); !refused.empty())
    setup.problems.push_back("protect the agent: " + std::move(refused));
  setup.image = command_line.image;
  setup.accelerator = command_line.accelerator;
  setup.services = "/etc/vigil/services.d";
  setup.journal = journal::journal_directory;
  setup.supervisor.cgroup_root = system.has_cgroups ? "/sys/fs/cgroup" : "";
  setup.supervisor.tracefs = system.has_tracefs ? "/sys/kernel/tracing" : "";

  // Static storage: PID 1 keeps them until the machine ends.
  static link::VsockDialler dialler;
  static agent::Agent agent(std::move(setup), dialler, std::move(console));
  init::end_machine(agent.run(), command_line.power_off);
}

/// PID 1, in the place of another build. The way back is there before anything that may fail.
[[noreturn]] void resume_init(const config::ResumeInit& options) {
  const BootId boot(kernel_boot_id());
  auto console = console::ConsolePort::open_in_vm();
  log::use(console.fd(), console.route() == console::Route::kernel_log ? log::Format::kernel : log::Format::plain);
  init::install_crash_guard(boot, console.fd());
  agent::AgentSetup setup;
  UniqueFd state_file(options.state_fd);
  if (options.program_fd >= 0) setup.probation = std::make_unique<upgrade::Probation>(std::move(state_file), UniqueFd(options.program_fd));
  ::prctl(PR_SET_NAME, "vigil-guest");
  const auto state = upgrade::read_state(options.state_fd);
  state_file.reset();   // unless the probation has it: secrets are in it
  auto decoded = state ? upgrade::decode(*state) : Result<upgrade::Decoded>(state.error());
  if (!decoded) {
    log::error("agent.not_resumed", {{"err", decoded.error().message()}});
    std::abort();
  }
  if (setup.probation) setup.probation->know(decoded->descriptors);
  for (const int fd : decoded->descriptors)
    if (const auto closed = upgrade::set_over_exec(fd, upgrade::OverExec::closed); !closed) log::warning("agent.descriptor_lost", {{"err", closed.error().message()}});
  auto& kept = decoded->kept;
  const auto command_line = config::parse_kernel_command_line(process::read_small_file("/proc/cmdline").value_or(""));
  process::raise_file_limit();
  (void)init::protect_from_reclaim(kept.cgroup_root);   // memory is locked by process image; the former one has told what was refused
  setup.place = agent::Place::vm;
  setup.boot = boot;
  setup.left = std::exchange(kept.line, {});
  kept.line.welcome = setup.left.welcome;
  setup.image = kept.image;
  setup.accelerator = command_line.accelerator;
  setup.problems = kept.problems;
  setup.services = "/etc/vigil/services.d";
  setup.journal = journal::journal_directory;
  setup.supervisor.cgroup_root = kept.cgroup_root;
  setup.supervisor.tracefs = kept.tracefs;
  setup.died_of = options.signal;
  setup.kept = std::move(kept);

  static link::VsockDialler dialler;
  static agent::Agent agent(std::move(setup), dialler, std::move(console));
  init::end_machine(agent.run(), command_line.power_off);
}

/// vigil-guest.service: the same agent, but systemd runs the services, and ends the machine. Ended by itself, it finds what it needs where it found it this time.
int serve_systemd() {
  const auto command_line = config::parse_kernel_command_line(process::read_small_file("/proc/cmdline").value_or(""));
  auto console = console::ConsolePort::open_in_vm();
  log::use(console.fd(), console.route() == console::Route::kernel_log ? log::Format::kernel : log::Format::plain);

  agent::AgentSetup setup;
  process::raise_file_limit();
  setup.place = agent::Place::vm;
  setup.init = agent::Init::systemd;
  setup.boot = BootId(kernel_boot_id());
  if (auto left = boot::follow_handover(setup.boot)) {
    setup.left = std::move(*left);
  } else {
    log::error("handover.lost", {{"err", left.error().message()}});
    setup.left.outbox = boot::unknown_numbers();
  }
  setup.keep = [boot = setup.boot](const boot::Handover& next) {
    if (const auto written = boot::write_handover(next, boot); !written) log::error("handover.not_written", {{"err", written.error().message()}});
  };
  setup.image = command_line.image;
  setup.accelerator = command_line.accelerator;
  setup.journal = journal::journal_directory;
  setup.supervisor.tracefs = "";

  static link::VsockDialler dialler;
  static agent::Agent agent(std::move(setup), dialler, std::move(console));
  agent.run();
  return EXIT_SUCCESS;
}

Result<std::optional<protocol::Welcome>> read_config(const std::string& file) {
  if (file.empty()) return std::optional<protocol::Welcome>();
  const auto text = process::read_small_file(file, 1 << 20);
  if (!text) return Error(Errc::not_found, "--config: cannot read " + file);
  TRY(message, protocol::decode(*text));
  auto* welcome = std::get_if<protocol::Welcome>(&message.content);
  if (!welcome) return Error(Errc::invalid, "--config: " + file + " is not a welcome message");
  return std::optional(std::move(*welcome));
}

int run_outside(const config::RunOptions& options) {
  agent::AgentSetup setup;
  auto config = read_config(options.config_file);
  if (!config) {
    std::fprintf(stderr, "vigil-guest: %s\n", config.error().message().c_str());
    return exit_usage;
  }
  setup.left.welcome = std::move(*config);
  setup.boot = BootId(options.boot_id.empty() ? kernel_boot_id() : options.boot_id);
  setup.image = options.image;
  setup.accelerator = options.accelerator;
  setup.services = options.services;
  setup.streams_socket = options.streams;
  setup.journal = options.journal;
  setup.supervisor.cgroup_root = options.cgroup;
  setup.supervisor.tracefs = "";      // the machine's trace events are not ours
  std::string made_dir = options.runtime_dir.empty() ? "/tmp/vigil-guest-XXXXXX" : "";
  if (!made_dir.empty() && !::mkdtemp(made_dir.data())) {
    std::perror("vigil-guest: /tmp");
    return EXIT_FAILURE;
  }
  setup.supervisor.runtime_dir = made_dir.empty() ? options.runtime_dir : made_dir;

  link::UnixDialler dialler(options.link);
  auto console = options.console.empty() ? console::ConsolePort() : console::ConsolePort::open_plain(options.console);
  agent::Agent agent(std::move(setup), dialler, std::move(console));
  agent.run();
  if (!made_dir.empty()) process::remove_tree(made_dir);
  return EXIT_SUCCESS;
}

int ask_init(protocol::ByeReport::Kind kind) {
  const bool is_reboot = kind == protocol::ByeReport::Kind::reboot, is_systemd = ::access("/run/systemd/system", F_OK) == 0;
  const int signal = is_systemd ? SIGRTMIN + (is_reboot ? 5 : 4) : is_reboot ? SIGINT : SIGUSR2;
  if (::kill(1, signal) != 0) {
    std::perror("vigil-guest: cannot ask init");
    return EXIT_FAILURE;
  }
  ::alarm(30);   // stay until init ends us, so that it can see who asked; not for ever
  ::pause();
  return EXIT_SUCCESS;
}

int show_version() {
  std::printf("vigil-guest %s build-id %s\n", config::agent_version().c_str(), config::build_id().c_str());
  return EXIT_SUCCESS;
}

int run_command(const std::vector<std::string>& words) {
  const auto options = config::parse_agent_options(words);
  if (!options) {
    std::fprintf(stderr, "vigil-guest: %s\n%s", options.error().message().c_str(), config::usage().c_str());
    return exit_usage;
  }
  if (const auto* run = std::get_if<config::RunOptions>(&*options)) return run_outside(*run);
  if (const auto* check = std::get_if<config::CheckOptions>(&*options)) return agent::check_services(*check);
  if (const auto* ask = std::get_if<config::AskAgent>(&*options)) return control::run_command(*ask);
  if (const auto* ask = std::get_if<config::AskInit>(&*options)) return ask_init(ask->kind);
  if (std::holds_alternative<config::ShowVersion>(*options)) return show_version();
  if (std::holds_alternative<config::ServeSystemd>(*options)) return serve_systemd();
  if (const auto* failed = std::get_if<config::TellUnitFailed>(&*options)) return control::tell_unit_failed(*failed);
  if (const auto* keep = std::get_if<config::KeepCrashes>(&*options))
    return journal::keep_crashes(keep->directory, journal::parse_change(keep->change), journal::payload_fd);
  if (std::holds_alternative<config::ServeFileStream>(*options)) return files::serve(streams::worker_connection_fd, streams::worker_opening_fd);
  if (const auto* open = std::get_if<config::OpenUrl>(&*options)) return signin::hand_over_url(open->url);
  if (const auto* tried = std::get_if<config::TryUpgrade>(&*options)) return upgrade::be_tried(tried->state_fd, "/etc/vigil/services.d");
  if (::getpid() != 1) {
    std::fprintf(stderr, "vigil-guest: init runs as PID 1 of a VM only\n");
    return exit_usage;
  }
  if (const auto* resume = std::get_if<config::ResumeInit>(&*options)) resume_init(*resume);
  be_init();
}

}  // namespace
}  // namespace vigil::guest

int main(int argc, char** argv) {
  using namespace vigil::guest;
  if (boot::is_initramfs()) boot::run_initramfs();
  std::signal(SIGPIPE, SIG_IGN);
  return run_command(std::vector<std::string>(argv, argv + argc));
}

#include "host/daemon/options.hpp"

#include "host/places/places.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>

namespace vigil::daemon {

namespace {

void add_vault_options(CLI::App& app, Options& options) {
    app.add_option("--vault-key", options.vault_key,
                   "file of at least 32 bytes (mode 0600) that the vault of credentials is sealed under (the systemd credential vigil-master-key, else STATE/master.key, made when it is needed)");
    app.add_option("--vault-old-key", options.vault_old_key, "the file that it was sealed under before: given once, when --vault-key is another one");
}

void add_store_commands(CLI::App& app, Options& options) {
    auto* const store = app.add_subcommand("store", "look after the database of a daemon that is stopped")->fallthrough()->require_subcommand(1);
    store->add_subcommand("check", "say what differs between the tables and the log of events that they follow from (exit status 1 when something does)")
        ->fallthrough()->callback([&options] { options.command = Command::check_store; });
    store->add_subcommand("rebuild", "say it, and put what the log leads to in the place of the tables")
        ->fallthrough()->callback([&options] { options.command = Command::rebuild_store; });
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    const auto defaults = default_places();
    options.places = {defaults.state, defaults.run, defaults.socket};
    std::string state, run, socket, vmm_name = "auto";
    bool foreground = false;
    std::uint64_t log_file_kib = options.log_limits.file_bytes >> 10, log_run_mib = options.log_limits.run_bytes >> 20, log_rate_kib = options.log_limits.bytes_per_second >> 10;
    std::uint64_t reconcile_s = 60, keep_days = 30, keep_mib = options.keep_limits.bytes >> 20;
    CLI::App app("vigild boots microVMs and knows what every service inside them is doing.", "vigild");
    app.set_version_flag("--version", std::string("vigild ") + VIGIL_VERSION);
    app.add_option("--state", state, "directory of images, disks, logs and the database (" + options.places.state.string() + ")");
    app.add_option("--run", run, "directory of sockets (" + options.places.run.string() + ")");
    app.add_option("--socket", socket, "the API's socket (RUN/vigild.sock)");
    app.add_option("--group", options.socket_group, "group that may use the API's socket, too; each of its users sees and changes what is his own");
    app.add_option("--listen", options.listen, "also serve the API on ADDRESS:PORT of the loopback, to who has a token (off; vigil token create makes them)");
    app.add_option("--ports-listen", options.ports_listen,
                   "also serve ports of VMs on ADDRESS:PORT of the loopback; whoever can reach it, reaches those without an owner (off; RUN/ports.sock is always served)");
    app.add_option("--desktop-listen", options.desktop_listen,
                   "serve the desktops of VMs to browsers on ADDRESS:PORT of the loopback, each at http://ID.localhost:PORT, to whom `vigil desktop` lets in (off)");
    app.add_option("--ready-fd", options.ready_fd, "write a line to this descriptor when the API serves")->check(CLI::Range(3, 1 << 20));
    app.add_option("--vmm", vmm_name, "what VMs run on that do not say it: auto (QEMU where it is installed), qemu or firecracker; Firecracker needs KVM, and its driver has met a double only (auto)")
        ->check(CLI::IsMember({"auto", "qemu", "firecracker"}));
    app.add_option("--log-level", options.log_level, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    app.add_option("--service-log-size", log_file_kib, "KiB of a service's log until it is set aside (4096)")->check(CLI::Range(4, 1 << 20));
    app.add_option("--service-log-files", options.log_limits.files, "files a service's log has, with the one that grows (4)")->check(CLI::Range(1, 100));
    app.add_option("--service-logs-of-run", log_run_mib, "MiB of all service logs of one run together (128)")->check(CLI::Range(1, 1 << 20));
    app.add_option("--service-log-rate", log_rate_kib, "KiB a second that one guest's services may write; the rest is counted (1024)")->check(CLI::Range(1, 1 << 20));
    app.add_option("--blackbox-days", keep_days, "days that the black box of a run is kept; 0: for ever (30)")->check(CLI::Range(0, 36500));
    app.add_option("--blackbox-count", options.keep_limits.count, "black boxes that are kept; 0: any number (10000)");
    app.add_option("--blackbox-size", keep_mib, "MiB of all black boxes together; 0: any size (4096)")->check(CLI::Range(0, 1 << 30));
    app.add_option("--reconcile-every", reconcile_s, "seconds from one look for processes and directories without an owner to the next (60)")->check(CLI::Range(1, 86400));
    add_vault_options(app, options);
    app.add_flag("--foreground", foreground, "stay in the foreground (it always does)");
    add_store_commands(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        std::exit(code == 0 ? 0 : 2);
    }
    options.keep_limits.age = std::chrono::hours(24 * keep_days);
    options.reconcile_every = std::chrono::seconds(reconcile_s);
    options.keep_limits.bytes = keep_mib << 20;
    if (const auto kind = parse_enum<vmm::VmmKind>(vmm_name)) options.vmm = *kind;
    options.log_limits.file_bytes = log_file_kib << 10;
    options.log_limits.run_bytes = log_run_mib << 20;
    options.log_limits.bytes_per_second = log_rate_kib << 10;
    if (!state.empty()) options.places.state = std::filesystem::absolute(state);
    if (!run.empty()) {
        options.places.run = std::filesystem::absolute(run);
        options.places.socket = (options.places.run / "vigild.sock").string();
    }
    if (!socket.empty()) options.places.socket = std::filesystem::absolute(socket).string();
    if (!options.socket_group.empty()) options.socket_mode = 0660;
    return options;
}

}  // namespace vigil::daemon

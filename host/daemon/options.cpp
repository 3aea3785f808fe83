#include "host/daemon/options.hpp"

#include "host/places/places.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>

namespace vigil::daemon {

Options parse_options(int argc, char** argv) {
    Options options;
    const auto defaults = default_places();
    options.places = {defaults.state, defaults.run, defaults.socket};
    std::string state, run, socket;
    bool foreground = false;
    CLI::App app("vigild boots microVMs and knows what every service inside them is doing.", "vigild");
    app.set_version_flag("--version", std::string("vigild ") + VIGIL_VERSION);
    app.add_option("--state", state, "directory of images, disks, logs and the database (" + options.places.state.string() + ")");
    app.add_option("--run", run, "directory of sockets (" + options.places.run.string() + ")");
    app.add_option("--socket", socket, "the API's socket (RUN/vigild.sock)");
    app.add_option("--group", options.socket_group, "group that may use the API's socket, too");
    app.add_option("--ports-listen", options.ports_listen,
                   "also serve ports of VMs on ADDRESS:PORT of the loopback; whoever can reach it, reaches them (off; RUN/ports.sock is always served)");
    app.add_option("--ready-fd", options.ready_fd, "write a line to this descriptor when the API serves")->check(CLI::Range(3, 1 << 20));
    app.add_option("--log-level", options.log_level, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    app.add_flag("--foreground", foreground, "stay in the foreground (it always does)");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        std::exit(code == 0 ? 0 : 2);
    }
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

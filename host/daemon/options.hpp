// What vigild's command line says, over the defaults of Places.
#pragma once

#include "host/daemon/places.hpp"
#include "host/blackbox/retention.hpp"
#include "host/logs/spool.hpp"
#include "host/vmm/vmm.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace vigil::daemon {

enum class Command { serve, check_store, rebuild_store };

struct Options {
    Command command = Command::serve;
    Places places;
    unsigned socket_mode = 0600;     // 0660 with --group
    std::string socket_group;
    std::string listen;              // 127.0.0.1:PORT for the API over TCP, tokens needed; empty: no
    std::string ports_listen;        // 127.0.0.1:PORT for ports of VMs over TCP; empty: no
    std::string desktop_listen;      // 127.0.0.1:PORT for desktops in browsers; empty: no
    std::optional<int> ready_fd;
    std::string log_level = "info";
    vmm::VmmKind vmm = vmm::VmmKind::automatic;   // of VMs that leave the choice
    std::chrono::seconds reconcile_every{60};
    std::string vault_key, vault_old_key;         // files; empty: systemd's credential, or STATE/master.key
    logs::LogLimits log_limits;
    blackbox::KeepLimits keep_limits;
};

/// Exits by itself for --help and --version (0) and for a wrong command line (2, with one line of advice).
Options parse_options(int argc, char** argv);

}  // namespace vigil::daemon

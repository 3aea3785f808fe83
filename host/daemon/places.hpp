// Where everything lies: the one file that spells the daemon's paths.
//
// Shape:  state/{vigil.db, vault.db, sessions.db, vigild.lock, images/, master.key, desktop.key, instances/ID/{spec.json,secrets.sealed,disk.raw,runs/N/}, blackbox/ID-N.tar.zst, strays/ID.SECONDS/}; run/ID/ holds the sockets of one run,
//         run/ports.sock is the door to ports inside VMs.
// Source: CONTRACTS "Host layout".
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"

#include <filesystem>
#include <string>

namespace vigil::daemon {

struct Places {
    std::filesystem::path state, run;
    std::string socket, ports{};   // ports: empty: in run

    std::filesystem::path database() const { return state / "vigil.db"; }
    std::filesystem::path vault() const { return state / "vault.db"; }
    std::filesystem::path sessions() const { return state / "sessions.db"; }
    std::filesystem::path master_key() const { return state / "master.key"; }
    std::filesystem::path desktop_key() const { return state / "desktop.key"; }
    std::filesystem::path lock() const { return state / "vigild.lock"; }
    std::filesystem::path run_lock() const { return run / "vigild.lock"; }
    std::filesystem::path images() const { return state / "images"; }
    std::filesystem::path instances() const { return state / "instances"; }
    std::filesystem::path instance(const InstanceId& id) const { return instances() / id.value(); }
    std::filesystem::path disk(const InstanceId& id) const { return instance(id) / "disk.raw"; }
    std::filesystem::path log_dir(const InstanceId& id, RunNumber number) const { return instance(id) / "runs" / std::to_string(number.value()); }
    std::filesystem::path blackboxes() const { return state / "blackbox"; }
    std::filesystem::path blackbox(const InstanceId& id) const { return state / "blackbox" / id.value(); }
    std::filesystem::path strays() const { return state / "strays"; }          // directories of instances that no row knows, for a week
    std::filesystem::path egress_credentials() const { return state / "egress"; }
    std::filesystem::path ports_socket() const { return ports.empty() ? run / "ports.sock" : std::filesystem::path(ports); }
    std::filesystem::path run_dir(const InstanceId& id) const { return run / id.value(); }
};

/// Makes the directories (state 0700, run 0711: VMM processes pass through it) and checks that every socket path fits.
Result<void> prepare_places(const Places& places);

}  // namespace vigil::daemon

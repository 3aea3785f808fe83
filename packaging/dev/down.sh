# shellcheck shell=bash
# shellcheck source=packaging/dev/daemon.sh
source "$ROOT/packaging/dev/daemon.sh"

down_help() { echo "usage: ./dev down   stops the VM demo and the daemon that ./dev up started; other VMs go on"; }

down_main() {
    local pid others vigil="$ROOT/build/release/bin/vigil"
    if ! pid=$(daemon_pid); then
        say "no daemon of ./dev up is running"
        return
    fi
    if "$vigil" ps --json | jq -e '.[] | select(.name == "demo" and .power != "stopped" and (.removed | not))' >/dev/null; then
        "$vigil" stop demo || warn "the VM demo could not be stopped: $vigil why demo"
    fi
    others=$("$vigil" ps --json | jq -r '[.[] | select(.power != "stopped" and (.removed | not)) | .name] | join(" ")')
    [[ -z $others ]] || warn "these VMs go on without a daemon until the next ./dev up: $others (vigil stop NAME ends one)"
    daemon_end "$pid"
    say "vigild has ended"
}

# shellcheck shell=bash
# shellcheck source=packaging/dev/image.sh
source "$ROOT/packaging/dev/image.sh"
# shellcheck source=packaging/dev/daemon.sh
source "$ROOT/packaging/dev/daemon.sh"

up_help() {
    cat <<'TEXT'
usage: ./dev up

Installs what is missing, builds, builds the golden image `minimal`, starts the daemon and boots the VM `demo`. Run again,
it redoes only what changed: a newer vigild replaces the running one (VMs go on), a running `demo` is shown.
TEXT
}

up_main() {
    [[ $# -eq 0 ]] || die_usage "up: takes no arguments"
    image_main
    up_daemon
    up_demo
    up_show
}

vigil() { "$ROOT/build/release/bin/vigil" "$@"; }

up_daemon() {
    local pid
    if pid=$(daemon_pid); then
        if ! daemon_is_outdated "$pid"; then
            say "vigild is running (pid $pid)"
            return
        fi
        say "vigild was built again: replacing pid $pid"
        daemon_end "$pid"
    fi
    daemon_start
}

# "power state image" of the VM demo; nothing when there is no such VM.
demo_row() { vigil ps --json | jq -r '.[] | select(.name == "demo" and (.removed | not)) | "\(.power) \(.state) \(.image)"'; }

up_demo() {
    local power state image
    read -r power state image < <(demo_row) || true
    case "$power" in
        '') vigil up minimal --name demo || up_failed ;;
        stopped) vigil start demo || up_failed ;;
        *)
            say "the VM demo is running already: $state"
            [[ $state == ready || $state == degraded || $state == booting ]] || up_failed
            ;;
    esac
    if [[ -n $image && $image != *"$(readlink "$daemon_state_dir/images/minimal/current")" ]]; then
        say "demo is a VM of an older image; for one of the newest: vigil rm --force demo && ./dev up"
    fi
}

up_failed() {
    vigil why demo >&2 || true
    die "the VM demo did not become ready" "the cause is above" "build/release/bin/vigil console demo shows its console; vigil rm --force demo and ./dev up start anew"
}

up_show() {
    echo
    vigil timeline demo
    echo
    vigil services demo
    cat <<TEXT

Next (with PATH=\$PATH:$ROOT/build/release/bin):
  vigil ps                      all VMs
  vigil events -f               what happens, as it happens
  vigil why demo                its state and the cause of it
  vigil console demo            its console from byte 0
  vigil crashes demo            every death in it, with cause and last output
  vigil logs demo ticker        the last output of a service, also of one that lives
  vigil exec demo ls -l /srv    run a program in it; vigil shell demo for a terminal
  vigil port demo 8080          its web server on http://127.0.0.1:8080
  vigil up minimal --name two   another VM from the same image
  ./dev demo                    five faults, named
  ./dev down                    stop all this
TEXT
    say "up"
}

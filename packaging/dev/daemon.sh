# shellcheck shell=bash
# The daemon that ./dev started: which process it is, starting it, ending it. Known by pid and start time, so that a
# number that was given to another process since is never taken for it.

daemon_pid_file="$ROOT/build/up/vigild.pid"
daemon_binary="$ROOT/build/release/bin/vigild"

# The product's defaults (vigild --help).
if [[ $EUID -eq 0 ]]; then
    daemon_state_dir=/var/lib/vigil
else
    daemon_state_dir="${XDG_STATE_HOME:-$HOME/.local/state}/vigil"
fi

# start_time PID: field 22 of /proc/PID/stat, in clock ticks since boot; the command name before it may hold blanks.
start_time() {
    local stat
    stat=$(<"/proc/$1/stat") 2>/dev/null || return 1
    # shellcheck disable=SC2086  # split into fields
    set -- ${stat##*) }
    echo "${20}"
}

# daemon_pid: prints the pid of our running daemon, or fails.
daemon_pid() {
    local pid started
    [[ -f $daemon_pid_file ]] || return 1
    read -r pid started <"$daemon_pid_file"
    [[ $(start_time "$pid" 2>/dev/null) == "$started" ]] || return 1
    echo "$pid"
}

# True when the binary was built again since the daemon started.
daemon_is_outdated() { [[ $(readlink "/proc/$1/exe") != "$daemon_binary" ]]; }

# Becomes the daemon: a session of its own, none of our caller's descriptors (a pipe kept open would make it wait for us).
daemon_exec() {
    local fd
    exec 3>&1 >>"$1" 2>&1 </dev/null
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        if [[ $fd -gt 3 ]]; then eval "exec $fd>&-"; fi
    done
    exec setsid "$daemon_binary" --ready-fd 3
}

daemon_start() {
    local log="$daemon_state_dir/vigild.log" ready pid
    mkdir -p "$daemon_state_dir" "$(dirname "$daemon_pid_file")"
    # It writes a line to its --ready-fd when it serves; if it ends before that, the read ends too.
    exec {ready}< <(daemon_exec "$log")
    pid=$!
    if ! read -r -t 30 -u "$ready"; then
        tail -n 15 "$log" | sed 's/^/    /' >&2
        die "vigild did not start" "it $([[ -d /proc/$pid ]] && echo 'did not serve within 30 s' || echo 'ended at once'); the end of $log is above" \
            "$ROOT/build/release/bin/vigil doctor checks what it needs"
    fi
    exec {ready}<&-
    echo "$pid $(start_time "$pid")" >"$daemon_pid_file"
    say "vigild serves (pid $pid, log $log)"
}

# daemon_end PID: asks it to end and waits for that by its pidfd.
daemon_end() {
    python3 - "$1" <<'PYTHON' || die "vigild (pid $1) did not end" "it did not end within 30 s of SIGTERM" "look at $daemon_state_dir/vigild.log; kill -9 $1 is safe: VMs live on and the next daemon adopts them"
import os, select, signal, sys
try:
    process = os.pidfd_open(int(sys.argv[1]))
    signal.pidfd_send_signal(process, signal.SIGTERM)
except ProcessLookupError:
    sys.exit(0)
sys.exit(0 if select.select([process], [], [], 30)[0] else 1)
PYTHON
    rm -f "$daemon_pid_file"
}

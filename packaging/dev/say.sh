# shellcheck shell=bash
# What ./dev prints: steps with their times, and errors that name the thing, the cause and the mend.
# A step's own output goes to build/log/STEP.log; on a terminal its newest line is shown while it runs.

# EPOCHREALTIME is in microseconds with the locale's decimal sign.
now_us() { local t=${EPOCHREALTIME/[.,]/}; echo "$t"; }
began_us=$(now_us)

# seconds_since US: "12.3"
seconds_since() {
    local us=$(($(now_us) - $1))
    printf '%d.%d' $((us / 1000000)) $((us % 1000000 / 100000))
}

stamp() { printf '[%6s s]' "$(seconds_since "$began_us")"; }
say() { printf '%s %s\n' "$(stamp)" "$*"; }
warn() { printf '%s warning: %s\n' "$(stamp)" "$*" >&2; }

# die THING CAUSE MEND
die() {
    printf '\nerror: %s\n' "$1" >&2
    [[ -n ${2:-} ]] && printf '  cause: %s\n' "$2" >&2
    [[ -n ${3:-} ]] && printf '  mend:  %s\n' "$3" >&2
    exit 1
}
die_usage() {
    printf '\nerror: %s (./dev help lists the verbs)\n' "$1" >&2
    exit 2
}

newest_line_on_terminal() {
    local line
    while IFS= read -r line; do
        line=${line//[$'\t\r\e']/ }
        printf '\r\033[K         %s' "${line:0:$((${COLUMNS:-100} - 12))}" >&2
    done
    printf '\r\033[K' >&2
}

# step NAME TEXT COMMAND...: runs the command with its output in build/log/NAME.log, prints what it took.
# Returns the command's status; on failure the log's end has been shown.
step() {
    local name=$1 text=$2 log status=0 start
    shift 2
    log="$ROOT/build/log/$name.log"
    mkdir -p "$ROOT/build/log"
    start=$(now_us)
    say "$text ..."
    # A subshell, so that an exit ends the step and not the script. A function given to step checks each of its own
    # commands: callers write `step ... || ...`, and bash ignores -e everywhere below that.
    if [[ -t 2 ]]; then
        ("$@") </dev/null 2>&1 | tee "$log" | newest_line_on_terminal || status=$?
    else
        ("$@") </dev/null >"$log" 2>&1 || status=$?
    fi
    if [[ $status -eq 0 ]]; then
        say "$text: $(seconds_since "$start") s"
    else
        say "$text: FAILED after $(seconds_since "$start") s; the end of build/log/$name.log:"
        tail -n 40 "$log" | sed 's/^/    /' >&2
    fi
    return "$status"
}

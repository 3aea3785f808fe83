# shellcheck shell=bash
# shellcheck source=packaging/dev/image.sh
source "$ROOT/packaging/dev/image.sh"
# shellcheck source=packaging/dev/lint.sh
source "$ROOT/packaging/dev/lint.sh"

test_help() {
    cat <<'TEXT'
usage: ./dev test [--unit|--e2e|--tsan|--trap] [MATCH]

--unit  lints, C++ and Python unit tests (C++ under ASan + UBSan), a daemon killed at each fault point, each fuzz target's kept corpus and mutations of it
--e2e   release build, golden image, end-to-end tests in real VMs, the fault laboratory's CI subset
--tsan  the unit tests once more, under ThreadSanitizer (build/tsan); not a part of the whole run
--trap  the end-to-end tests that match (default: supervision) with an agent that ends at undefined behaviour, static as it is released
        (build/trap); not a part of the whole run, and long to build
Without any: the first two. MATCH keeps only tests whose name matches it (and leaves out lints).
Ends with what was skipped and why, what failed, and `N passed, N failed, N skipped`. Every result: build/test/results.tsv
TEXT
}

# Budgets of a full build on two cores, in seconds (printed, not enforced: a machine may be slower).
budget_release=300
budget_dev=480
budget_faultlab=360

test_main() {
    local unit=yes e2e=yes alone='' match=''
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --unit) e2e=no ;;
            --e2e) unit=no ;;
            --tsan | --trap) unit=no e2e=no alone=${1#--} ;;
            --*) die_usage "test: unknown argument '$1'" ;;
            *) match=$1 ;;
        esac
        shift
    done
    mkdir -p build/test
    export VIGIL_TEST_RESULTS="$ROOT/build/test/results.tsv"
    : >"$VIGIL_TEST_RESULTS"
    : >build/test/builds.txt
    if [[ $unit == yes ]]; then
        setup_main --lint
        test_unit "$match"
    fi
    if [[ $e2e == yes ]]; then
        setup_main
        test_e2e "$match"
    fi
    if [[ -n $alone ]]; then
        setup_main
        "test_$alone" "$match"
    fi
    cat build/test/builds.txt
    python3 packaging/dev/tally.py "$VIGIL_TEST_RESULTS"
}

# Not a part of the whole run: the agent has one thread, and the daemon's few meet in two places.
test_tsan() {
    checked "build tsan" build_preset tsan || return 0
    local junit="$ROOT/build/test/tsan.xml" filter=()
    [[ -z $1 ]] || filter=(-R "$1")
    rm -f "$junit"
    say "unit tests under ThreadSanitizer"
    TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" ctest --test-dir build/tsan -L unit "${filter[@]}" -j "$(nproc)" --output-junit "$junit" \
        --output-on-failure --progress >build/log/ctest-tsan.log 2>&1 || tail -n 60 build/log/ctest-tsan.log
    python3 packaging/dev/tally.py --junit "$junit" "$VIGIL_TEST_RESULTS"
}

test_trap() {
    checked "build release" build_preset release && checked "build trap" build_preset trap bin/vigil-guest bin/vigil-core bin/vigil-talker || return 0
    checked "image minimal" image_build minimal || return 0
    local all=build/trap/all/bin   # copies: the daemon looks for the agent beside its own file
    rm -rf "$all"
    mkdir -p "$all"
    cp -rL build/release/bin/. build/trap/bin/. "$all"
    VIGIL_BIN="$ROOT/$all" VIGIL_THIS_AGENT=minimal tests/e2e/run "${1:-supervision}" || true
}

# result STATUS NAME SECONDS [REASON]
result() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}" >>"$VIGIL_TEST_RESULTS"; }

# checked NAME COMMAND...: one result. What the command says is for the reader; only failures say more.
checked() {
    local name=$1 start status=0
    shift
    start=$(now_us)
    ("$@") || status=$?
    if [[ $status -eq 0 ]]; then
        result pass "$name" "$(seconds_since "$start")"
    else
        result fail "$name" "$(seconds_since "$start")" "exit $status; see above and build/log"
    fi
    return "$status"
}

# timed_build PRESET BUDGET
timed_build() {
    local start
    start=$(now_us)
    checked "build $1" build_preset "$1" || return
    printf 'build %s: %s s (budget for a full build on 2 cores: %d s)\n' "$1" "$(seconds_since "$start")" "$2" >>build/test/builds.txt
}

test_unit() {
    local match=$1 name
    if [[ -z $match ]]; then
        lint_choose_files no
        for name in "${lint_names[@]}"; do
            checked "lint $name" step "lint-$name" "lint $name" "lint_$name" || true
        done
    fi
    python3 packaging/dev/python_tests.py --match "$match" tests/lint tests/rootfs tests/oauth tests/faultlab || true
    if timed_build dev "$budget_dev"; then
        test_ctest "$match"
    fi
}

test_ctest() {
    local junit="$ROOT/build/test/unit.xml" filter=()
    [[ -z $1 ]] || filter=(-R "$1")
    rm -f "$junit"
    say "unit tests, a daemon killed at each fault point, and the fuzz targets' kept inputs, under ASan and UBSan"
    ctest --test-dir build/dev -L 'unit|faultpoints|fuzz' "${filter[@]}" -j "$(nproc)" --output-junit "$junit" --output-on-failure --progress \
        >build/log/ctest.log 2>&1 || tail -n 60 build/log/ctest.log
    python3 packaging/dev/tally.py --junit "$junit" "$VIGIL_TEST_RESULTS"
}

test_e2e() {
    timed_build release "$budget_release" || return 0
    checked "image minimal" image_build minimal || return 0
    checked "image systemd" image_build systemd || return 0
    say "end-to-end tests in real VMs"
    in_vms e2e tests/e2e/run ${1:+"$1"}
    if [[ -z $1 || $1 == faultlab ]]; then
        say "fault laboratory (budget on 2 cores: $budget_faultlab s)"
        in_vms faultlab tests/faultlab/run
    fi
}

# in_vms NAME RUNNER [MATCH]: each test appends its own results; what is left to notice here is a runner that ended badly and none of its tests says so:
# it died, before its first test or after it. With MATCH, no result at all means that no test of that name is there.
in_vms() {
    local name=$1 before results status=0
    shift
    before=$(wc -l <"$VIGIL_TEST_RESULTS")
    VIGIL_BIN="$ROOT/build/release/bin" "$@" || status=$?
    [[ $status -ne 0 ]] || return 0
    results=$(tail -n "+$((before + 1))" "$VIGIL_TEST_RESULTS")
    if [[ $'\n'$results == *$'\nfail\t'* ]]; then return 0; fi
    if [[ $# -gt 1 && -z $results ]]; then return 0; fi
    result fail "$name" 0 "$1 ended with $status, and no test of it failed"
}

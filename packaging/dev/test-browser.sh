# shellcheck shell=bash
# shellcheck source=packaging/dev/test.sh
source "$ROOT/packaging/dev/test.sh"

test_browser_help() {
    cat <<'TEXT'
usage: ./dev test-browser [MATCH]

Boots the image `browser` (build it first: ./dev image browser) and looks at the desktop as a user finds it: every part ready with its
time, Chromium in its sandbox, the desktop through vigild's ports, the CLIs. Apart from `./dev test`, for the image is large and an emulated
desktop takes minutes. MATCH keeps only tests whose name matches it.
TEXT
}

test_browser_main() {
    local match=desktop_test
    case "${1:-}" in
        -*) die_usage "test-browser: unknown argument '$1'" ;;
        ?*) match=$1 ;;
    esac
    setup_main
    mkdir -p build/test
    export VIGIL_TEST_RESULTS="$ROOT/build/test/browser.tsv" VIGIL_TEST_BROWSER=1
    : >"$VIGIL_TEST_RESULTS"
    in_vms browser tests/e2e/run "$match"
    python3 packaging/dev/tally.py "$VIGIL_TEST_RESULTS"
}

# shellcheck shell=bash
# shellcheck source=packaging/dev/test.sh
source "$ROOT/packaging/dev/test.sh"

test_browser_help() {
    cat <<'TEXT'
usage: ./dev test-browser [MATCH]

Boots the image `browser` (build it first: ./dev image browser) and looks at the desktop as a user finds it: every part ready with its
time, Chromium in its sandbox, the desktop through vigild's ports, the CLIs. Apart from `./dev test`, for the image is large and an emulated
desktop takes minutes. A headless Chromium on this machine (Debian's, driven by Playwright from npm) opens the desktop's page, types and points; its
screenshots are build/test/page/*.png. MATCH keeps only tests whose name matches it, e.g. `provider_test`: codex signs in by the
VM's own Chromium, the others up to their pages; it needs the image `cli` too (./dev image cli).
TEXT
}

test_browser_main() {
    local match=(desktop_test page_test)
    case "${1:-}" in
        -*) die_usage "test-browser: unknown argument '$1'" ;;
        ?*) match=("$1") ;;
    esac
    setup_main --browser
    npm_unpacked playwright-core "$ROOT/build/tools/playwright-core" "the tests of the desktop's page" || true
    mkdir -p build/test
    export VIGIL_TEST_RESULTS="$ROOT/build/test/browser.tsv" VIGIL_TEST_BROWSER=1
    : >"$VIGIL_TEST_RESULTS"
    in_vms browser tests/e2e/run "${match[@]}"
    python3 packaging/dev/tally.py "$VIGIL_TEST_RESULTS"
}

# shellcheck shell=bash
# shellcheck source=packaging/dev/build.sh
source "$ROOT/packaging/dev/build.sh"

package_help() {
    cat <<'TEXT'
usage: ./dev package [--test]

Builds the release binaries with spdlog and fmt compiled in, makes the Debian packages vigil-host and vigil-guest of them
(build/packages), and has lintian read them. Prints how far each unit is confined (systemd-analyze security). Install them: apt install ./build/packages/*.deb
--test also installs, kills, upgrades, stops, removes and purges them in a Debian 13 VM, while a VM of theirs runs.
TEXT
}

package_main() {
    local test=no
    if [[ ${1:-} == --test ]]; then
        test=yes
        shift
    fi
    [[ $# -eq 0 ]] || die_usage "package: unknown argument '$1'"
    setup_main --package
    # What a package holds must not depend on this release's spdlog and fmt.
    configure_arguments=(-DVIGIL_SPDLOG_INSIDE=ON)
    rm -f build/release/build.ninja
    build_preset release all package_documents
    package_make
    step lintian "lintian" lintian --fail-on error,warning --pedantic --tag-display-limit 0 build/packages/*.deb ||
        die "the packages have faults" "lintian's tags are above" "mend them; a tag that is meant to be so goes into a lintian-overrides file with its reason"
    package_security
    ls -l build/packages/*.deb
    if [[ $test == yes ]]; then package_test; fi
}

package_test() {
    step image-installed "image of a Debian 13 with systemd" rootfs-build/build installed --profiles tests/e2e/profiles ||
        die "the image installed could not be built" "its builder failed (above)" "see build/log/image-installed.log"
    VIGIL_BIN="$ROOT/build/release/bin" tests/e2e/run packages || die "the packages' test failed" "see above" "VIGIL_KEEP=1 keeps what it made"
}

# The same bytes for one commit: every date in the packages is the commit's.
package_make() {
    rm -rf build/packages
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) step package "Debian packages" cpack --config build/release/CPackConfig.cmake ||
        die "the packages could not be made" "cpack failed (above)" "see build/log/package.log"
    rm -rf build/packages/_CPack_Packages
}

package_security() {
    local unit
    command -v systemd-analyze >/dev/null || { warn "no systemd here: units were not looked at"; return 0; }
    for unit in packaging/systemd/*.service; do
        systemd-analyze security --offline=yes "$unit" 2>/dev/null | sed -n "s|.*Overall exposure level for .*: |$(basename "$unit"): exposure |p"
    done
}

# shellcheck shell=bash
# shellcheck source=packaging/dev/build.sh
source "$ROOT/packaging/dev/build.sh"

package_help() {
    cat <<'TEXT'
usage: ./dev package

Builds the release binaries with spdlog and fmt compiled in, makes the Debian packages vigil-host and vigil-guest of them
(build/packages), and has lintian read them. Prints how far each unit is confined (systemd-analyze security). Install them: apt install ./build/packages/*.deb
TEXT
}

package_main() {
    [[ $# -eq 0 ]] || die_usage "package: takes no arguments"
    setup_main --package
    # What a package holds must not depend on this release's spdlog and fmt.
    configure_arguments=(-DVIGIL_SPDLOG_INSIDE=ON)
    rm -f build/release/build.ninja
    build_preset release all package_documents
    package_make
    step lintian "lintian" lintian --fail-on error,warning --pedantic --no-tag-display-limit build/packages/*.deb ||
        die "the packages have faults" "lintian's tags are above" "mend them; a tag that is meant to be so goes into a lintian-overrides file with its reason"
    package_security
    ls -l build/packages/*.deb
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

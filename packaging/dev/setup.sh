# shellcheck shell=bash
# shellcheck source=packaging/dev/suite.sh
source "$ROOT/packaging/dev/suite.sh"
# shellcheck source=packaging/dev/novnc.sh
source "$ROOT/packaging/dev/novnc.sh"

setup_help() {
    cat <<'TEXT'
usage: ./dev setup [--lint] [--fuzz] [--format] [--tidy] [--package] [--browser] [--bench] [--print]

Installs the Debian packages that are missing, and only those; needs root (or sudo) only then. Packages of other
suites are unpacked into build/tools, not installed: Catch2 v3 (Debian 12 has v2) and vhost-device-vsock (sid,
pinned in packaging/dev/pins.txt). noVNC, for desktops in a browser, comes from npm when npm is here (pinned in
packaging/dev/npm_pins.txt) and is left out, with a warning, when it is not. --lint, --fuzz, --format, --tidy, --package, --browser (for ./dev test-browser) add what these need; --bench unpacks
the peers that benchmarks run beside (runit, s6, supervisor, nodejs), likewise under build/tools and without installing them. --print only names what is missing.
TEXT
}

setup_main() {
    local wanted=("${packages_build[@]}" "${packages_run[@]}" "${packages_image[@]}" "${packages_test[@]}") print=no peers=no missing
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --lint) wanted+=("${packages_lint[@]}") ;;
            --fuzz) wanted+=("${packages_fuzz[@]}") ;;
            --format) wanted+=("${packages_format[@]}") ;;
            --tidy) wanted+=("${packages_tidy[@]}") ;;
            --browser) wanted+=("${packages_browser[@]}") ;;
            --package) wanted+=("${packages_package[@]}") ;;
            --bench) peers=yes ;;
            --print) print=yes ;;
            *) die_usage "setup: unknown argument '$1'" ;;
        esac
        shift
    done
    command -v dpkg-query >/dev/null || die "cannot set up this machine" "it is not a Debian system (no dpkg)" \
        "use Debian 12 or 13 on amd64, or install the equivalents of: ${wanted[*]}"
    mapfile -t missing < <(packages_missing "${wanted[@]}")
    if [[ $print == yes ]]; then
        printf '%s\n' "${missing[@]}"
        return 0
    fi
    setup_install_packages "${missing[@]}"
    setup_tools
    [[ $peers == no ]] || setup_peers
}

setup_install_packages() {
    [[ $# -gt 0 ]] || return 0
    [[ $(dpkg --print-architecture) == amd64 ]] || die "cannot set up this machine" \
        "its architecture is $(dpkg --print-architecture)" "use an amd64 machine: guests are x86-64"
    say "missing here: $*"
    step apt-update "refresh the package lists" as_root apt-get -q update || exit 1
    step apt-install "install $# packages" \
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" ||
        die "Debian packages could not be installed" "apt-get failed (above, and in build/log/apt-install.log)" \
            "install them by hand and run this again: $*"
}

# What comes from other suites goes to build/tools: Catch2 where CMakePresets.json looks, the device beside it.
setup_tools() {
    mkdir -p "$ROOT/build/tools"
    if [[ $debian_codename == bookworm ]]; then
        unpack_tool libcatch2-dev "$ROOT/build/tools/catch2"
    fi
    if [[ -z ${VIGIL_VSOCK_DEVICE:-} ]]; then
        unpack_tool vhost-device-vsock "$ROOT/build/tools/vsock"
        ln -sfn vsock/usr/bin/vhost-device-vsock "$ROOT/build/tools/vhost-device-vsock"
    fi
    setup_novnc
}

# The peers of the benchmarks, with whatever they need that is not here.
setup_peers() {
    local directory="$ROOT/build/tools/peers" archives file
    [[ -f $directory.unpacked && $(<"$directory.unpacked") == "${packages_bench[*]}" ]] && return 0
    archives=$(mktemp -d "${TMPDIR:-/tmp}/vigil-peers.XXXXXX")
    mkdir -p "$archives/partial"
    step fetch-peers "fetch ${packages_bench[*]}" apt-get -q install --download-only --no-install-recommends -y \
        -o Dir::Cache::archives="$archives" -o Debug::NoLocking=1 -o APT::Sandbox::User=root "${packages_bench[@]}" ||
        { rm -rf "$archives"; die "the peers could not be fetched" "apt-get failed (above)" "run 'apt-get update', or the benchmarks without them"; }
    rm -rf "$directory"
    mkdir -p "$directory"
    for file in "$archives"/*.deb; do
        dpkg-deb --fsys-tarfile "$file" | tar -x -C "$directory" --no-same-owner
    done
    rm -rf "$archives"
    printf '%s\n' "${packages_bench[*]}" >"$directory.unpacked"
}

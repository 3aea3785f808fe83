# shellcheck shell=bash
# Which Debian packages each part of the work needs, by Debian release, and which are missing here.
# shellcheck disable=SC2034  # the lists are read by setup.sh

debian_codename=$(sed -n 's/^VERSION_CODENAME="\{0,1\}\([a-z]*\).*/\1/p' /etc/os-release 2>/dev/null || true)

packages_build=(g++ cmake ninja-build ccache mold pkg-config git
    libspdlog-dev nlohmann-json3-dev libcurl4-openssl-dev libsqlite3-dev libssl-dev libcli11-dev
    libarchive-dev libgoogle-perftools-dev libdw-dev zlib1g-dev libbz2-dev liblzma-dev)
packages_run=(qemu-system-x86 python3 jq curl)
packages_image=(mmdebstrap uidmap e2fsprogs xz-utils zstd cpio kmod debian-archive-keyring)
packages_kernel=(make gcc binutils flex bison bc libelf-dev xz-utils)
packages_test=(strace socat disorderfs openssl)
packages_bench=(runit s6 execline supervisor nodejs)   # peers: unpacked, never installed
packages_package=(dpkg-dev file lintian)
packages_browser=(chromium nodejs)     # what looks at a desktop's page
packages_lint=(shellcheck)
packages_format=(clang-format-19)
packages_tidy=(clang-tidy-19)

case "$debian_codename" in
    bookworm)
        packages_build+=(libboost1.81-dev)
        packages_fuzz=(clang-16 libclang-rt-16-dev)
        ;;
    *)
        packages_build+=(libboost-dev catch2 libzstd-dev)   # zstd: its libelf needs it
        packages_fuzz=(clang-19 libclang-rt-19-dev)
        ;;
esac

# packages_missing PACKAGE...: those that are not installed, one a line. One process, ~20 ms.
packages_missing() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii //p' || true)
    comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "cannot install Debian packages" "not root, and there is no sudo" "run as root: $*"
    fi
}

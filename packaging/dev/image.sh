# shellcheck shell=bash
# shellcheck source=packaging/dev/build.sh
source "$ROOT/packaging/dev/build.sh"

image_help() {
    cat <<'TEXT'
usage: ./dev image [PROFILE] [--kernel NAME] [--refresh]

Builds the release binaries, then the golden image PROFILE (default: minimal) with the agent just built, and publishes it
where the daemon looks. What did not change is not built again. Profiles: minimal, systemd, cli, browser (rootfs-build/profiles).

--kernel NAME  with a kernel of our own (rootfs-build/kernels), e.g. `small`: compiled when it is not cached, 10 to 20 minutes on two
               cores; `stock`: the suite's cloud kernel. Default: what the profile says
--refresh      newer packages and kernel
TEXT
}

image_main() {
    local profile=minimal options=()
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --kernel)
                [[ -n ${2:-} ]] || die_usage "image: --kernel needs a name"
                options+=(--kernel "$2")
                [[ $2 == stock ]] || setup_kernel
                shift
                ;;
            --refresh) options+=(--refresh) ;;
            -*) die_usage "image: unknown argument '$1'" ;;
            *) profile=$1 ;;
        esac
        shift
    done
    build_main
    image_build "$profile" "${options[@]}"
}

# What compiling a kernel needs beyond the rest.
setup_kernel() {
    local missing
    mapfile -t missing < <(packages_missing "${packages_kernel[@]}")
    setup_install_packages "${missing[@]}"
}

image_build() {
    step "image-$1" "golden image $1" rootfs-build/build "$@" ||
        die "the golden image '$1' could not be built" "rootfs-build/build failed (above, and in build/log/image-$1.log)" \
            "the log names the step; rootfs-build/README.md tells what each needs"
}

# shellcheck shell=bash
# shellcheck source=packaging/dev/build.sh
source "$ROOT/packaging/dev/build.sh"

image_help() {
    cat <<'TEXT'
usage: ./dev image [PROFILE]

Builds the release binaries, then the golden image PROFILE (default: minimal) with the agent just built, and publishes it
where the daemon looks. What did not change is not built again.
TEXT
}

image_main() {
    local profile=${1:-minimal}
    build_main
    image_build "$profile"
}

image_build() {
    step "image-$1" "golden image $1" rootfs-build/build "$1" ||
        die "the golden image '$1' could not be built" "rootfs-build/build failed (above, and in build/log/image-$1.log)" \
            "the log names the step; rootfs-build/README.md tells what each needs"
}

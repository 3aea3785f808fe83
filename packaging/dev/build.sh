# shellcheck shell=bash
# shellcheck source=packaging/dev/setup.sh
source "$ROOT/packaging/dev/setup.sh"

build_help() {
    cat <<'TEXT'
usage: ./dev build [--dev] [TARGET...]

Release binaries in build/release/bin, or with --dev (ASan + UBSan, -O0 -g1, warnings are errors, unit tests) in
build/dev. Uses ccache when it is installed. Prints the time that it took.
TEXT
}

build_main() {
    local preset=release
    if [[ ${1:-} == --dev ]]; then
        preset=dev
        shift
    fi
    setup_main # no options: what building and running need
    build_preset "$preset" "$@"
}

# build_preset PRESET [TARGET...]
build_preset() {
    local preset=$1
    shift
    local dir="$ROOT/build/$preset" targets=()
    [[ $# -gt 0 ]] && targets=(--target "$@")
    if [[ ! -f $dir/build.ninja || $ROOT/CMakePresets.json -nt $dir/build.ninja ]]; then
        step "configure-$preset" "configure $preset" cmake --preset "$preset" "${configure_arguments[@]}" ||
            die "cannot configure build/$preset" "CMake failed (above, and in build/log/configure-$preset.log)" \
                "a missing package: ./dev setup; a stale tree: rm -r build/$preset"
    fi
    step "build-$preset" "build $preset" cmake --build "$dir" -j "$(nproc)" "${targets[@]}" ||
        die "build/$preset does not build" "the compiler's first error is in build/log/build-$preset.log" "mend the source"
    # The daemon looks for the device beside itself.
    if [[ -d $dir/bin && -e $ROOT/build/tools/vhost-device-vsock ]]; then
        ln -sfn ../../tools/vhost-device-vsock "$dir/bin/vhost-device-vsock"
    fi
    # And for what draws desktops.
    if [[ -d $dir/bin && -d $ROOT/build/tools/novnc ]]; then
        ln -sfn ../../tools/novnc "$dir/bin/novnc"
    fi
}
configure_arguments=()

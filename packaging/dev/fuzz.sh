# shellcheck shell=bash
# shellcheck source=packaging/dev/build.sh
source "$ROOT/packaging/dev/build.sh"

fuzz_help() {
    cat <<'TEXT'
usage: ./dev fuzz [TARGET...] [--seconds N]

Builds the libFuzzer targets with clang (ASan + UBSan) and runs each for N seconds (default 60) from its kept corpus
tests/fuzz/corpus/TARGET. New inputs go to build/fuzz/corpus/TARGET; an input that crashes to build/fuzz/found/.
TEXT
}

fuzz_main() {
    local seconds=60 targets=() target failed=0
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --seconds)
                [[ ${2:-} =~ ^[0-9]+$ ]] || die_usage "fuzz: --seconds needs a number"
                seconds=$2
                shift
                ;;
            --*) die_usage "fuzz: unknown argument '$1'" ;;
            *) targets+=("$1") ;;
        esac
        shift
    done
    setup_main --fuzz
    fuzz_build
    [[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(fuzz_targets)
    for target in "${targets[@]}"; do
        step "fuzz-$target" "fuzz $target for $seconds s" fuzz_run "$target" "$seconds" || failed=$((failed + 1))
    done
    [[ $failed -eq 0 ]] || die "$failed of ${#targets[@]} fuzz targets found a fault" \
        "the input and the stack are in build/log/fuzz-TARGET.log" "run build/fuzz/bin/fuzz_TARGET on the input under build/fuzz/found"
}

fuzz_build() {
    local version=${packages_fuzz[0]#clang-}
    configure_arguments=(-DCMAKE_C_COMPILER="clang-$version" -DCMAKE_CXX_COMPILER="clang++-$version")
    build_preset fuzz fuzzers
    configure_arguments=()
    [[ -n $(fuzz_targets) ]] || die "there is no fuzz target" "nothing in the tree calls vigil_add_fuzzer()" "add one under tests/fuzz"
}

fuzz_targets() { find "$ROOT/build/fuzz/bin" -maxdepth 1 -type f -name 'fuzz_*' -printf '%f\n' | sed 's/^fuzz_//' | sort; }

# fuzz_run TARGET SECONDS
fuzz_run() {
    local target=$1 seconds=$2 kept="$ROOT/tests/fuzz/corpus/$1" grown="$ROOT/build/fuzz/corpus/$1" options=()
    [[ -x $ROOT/build/fuzz/bin/fuzz_$target ]] || { echo "no fuzz target '$target'; there are: $(fuzz_targets | tr '\n' ' ')"; return 1; }
    [[ -d $kept ]] || { echo "$target has no kept corpus at tests/fuzz/corpus/$target"; return 1; }
    mkdir -p "$grown" "$ROOT/build/fuzz/found"
    [[ -f $kept.dict ]] && options+=("-dict=$kept.dict")
    # Every kept input first, without mutation: these are the regressions.
    "$ROOT/build/fuzz/bin/fuzz_$target" -runs=0 "$kept" || return
    "$ROOT/build/fuzz/bin/fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$ROOT/build/fuzz/found/$target-" "${options[@]}" "$grown" "$kept"
}

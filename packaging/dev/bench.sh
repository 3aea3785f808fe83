# shellcheck shell=bash
# shellcheck source=packaging/dev/image.sh
source "$ROOT/packaging/dev/image.sh"

bench_help() {
    cat <<'TEXT'
usage: ./dev bench [NAME...]

Runs tests/bench/NAME (default: all) with the release binaries. Each prints its table and appends one JSON object a figure
to build/bench/results.jsonl: {"bench","metric","value","unit","samples","peer","machine","commit"}.
TEXT
}

bench_names() { find tests/bench -maxdepth 1 -type f -perm -u+x -printf '%f\n' 2>/dev/null | sort; }

bench_main() {
    local names=("$@") name failed=0
    [[ $# -gt 0 ]] || mapfile -t names < <(bench_names)
    for name in "${names[@]}"; do
        [[ -x tests/bench/$name ]] || die_usage "bench: there is no '$name'; there are: $(bench_names | tr '\n' ' ')"
    done
    image_main
    mkdir -p build/bench
    export VIGIL_BIN="$ROOT/build/release/bin" VIGIL_BENCH_RESULTS="$ROOT/build/bench/results.jsonl"
    VIGIL_COMMIT=$(git rev-parse --short HEAD)$([[ -z $(git status --porcelain --untracked-files=no) ]] || echo +)
    VIGIL_MACHINE="$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
    export VIGIL_COMMIT VIGIL_MACHINE
    for name in "${names[@]}"; do
        say "bench $name"
        "tests/bench/$name" || failed=$((failed + 1))
    done
    say "results: build/bench/results.jsonl"
    [[ $failed -eq 0 ]] || die "$failed of ${#names[@]} benchmarks did not finish" "see above" "./dev bench NAME runs one alone"
}

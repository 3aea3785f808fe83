# shellcheck shell=bash
# shellcheck source=packaging/dev/setup.sh
source "$ROOT/packaging/dev/setup.sh"

lint_help() {
    cat <<'TEXT'
usage: ./dev lint [--changed] [--tidy]

Layers, coroutine forms, sizes, banned names, a README per folder (tests/lint), shellcheck.
--changed also checks the format of the C++ files that differ from HEAD; use it before each commit.
--tidy also runs clang-tidy 19 (minutes for the whole tree; with --changed it is a matter of seconds per file).
TEXT
}

lint_names=(layers coroutine_forms sizes readmes banned projections shell)

lint_main() {
    local changed=no failed=0 name names=("${lint_names[@]}") options=(--lint)
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --changed)
                changed=yes
                names+=(format)
                options+=(--format)
                ;;
            --tidy)
                names+=(tidy)
                options+=(--tidy)
                ;;
            *) die_usage "lint: unknown argument '$1'" ;;
        esac
        shift
    done
    setup_main "${options[@]}"
    lint_choose_files "$changed"
    for name in "${names[@]}"; do
        step "lint-$name" "lint $name" "lint_$name" || failed=$((failed + 1))
    done
    [[ $failed -eq 0 ]] || die "$failed of ${#names[@]} lints found something" "see above" "mend it; ./dev format mends the format"
}

# Sets cpp_files and shell_files: all of ours, or those that differ from HEAD.
lint_choose_files() {
    local listing=(git ls-files --cached --others --exclude-standard)
    [[ $1 == yes ]] && listing=(lint_changed)
    mapfile -t cpp_files < <("${listing[@]}" -- '*.cpp' '*.hpp' | existing_files)
    mapfile -t shell_files < <("${listing[@]}" | existing_files | while IFS= read -r file; do
        if [[ $file == *.sh ]] || [[ $(head -c 60 "$file" | head -n 1 | tr -d '\0') =~ ^\#!.*(bash|/sh) ]]; then echo "$file"; fi
    done)
}
lint_changed() {
    git diff --name-only --diff-filter=d HEAD "$@"
    git ls-files --others --exclude-standard "$@"
}
existing_files() { while IFS= read -r file; do if [[ -f $file ]]; then echo "$file"; fi; done; }

lint_layers() { python3 tests/lint/layers.py; }
lint_coroutine_forms() { python3 tests/lint/coroutine_forms.py; }
lint_sizes() { python3 tests/lint/sizes.py; }
lint_readmes() { python3 tests/lint/readmes.py; }
lint_banned() { python3 tests/lint/banned.py; }
lint_projections() { python3 tests/lint/projections.py; }
lint_format() {
    [[ ${#cpp_files[@]} -eq 0 ]] || clang-format-19 --dry-run -Werror "${cpp_files[@]}"
}
lint_shell() {
    [[ ${#shell_files[@]} -eq 0 ]] || shellcheck -x "${shell_files[@]}"
}
lint_tidy() {
    [[ -f build/dev/compile_commands.json ]] || { echo "build/dev has no compile_commands.json: ./dev build --dev"; return 1; }
    printf '%s\n' "${cpp_files[@]}" | grep '\.cpp$' | xargs -r -n 1 -P "$(nproc)" clang-tidy-19 --quiet -p build/dev
}

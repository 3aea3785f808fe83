# shellcheck shell=bash
# shellcheck source=packaging/dev/setup.sh
source "$ROOT/packaging/dev/setup.sh"

format_help() { echo "usage: ./dev format [FILE...]   formats the C++ sources (default: all of them) in place, by .clang-format"; }

format_main() {
    setup_main --format
    local files=("$@")
    if [[ $# -eq 0 ]]; then
        mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp' | while IFS= read -r file; do
            if [[ -f $file ]]; then echo "$file"; fi
        done)
    fi
    clang-format-19 -i "${files[@]}"
    say "formatted ${#files[@]} files"
}

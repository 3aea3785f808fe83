# shellcheck shell=bash
# shellcheck source=packaging/dev/image.sh
source "$ROOT/packaging/dev/image.sh"

faultlab_help() { tests/faultlab/run --help; }

faultlab_main() {
    local argument
    for argument in "$@"; do
        case "$argument" in
            --list) exec tests/faultlab/run "$@" ;;
        esac
    done
    image_main
    case " $* " in
        *" --all "* | *" systemd "* | *" unit-"* | *" emergency-mode "*) image_build systemd ;;
        *) [[ $# -gt 0 ]] || say "the rows of the systemd profile are left out: ./dev faultlab systemd, or --all" ;;
    esac
    case " $* " in
        *" --all "* | *" languages "* | *" python-"* | *" node-"*) image_build languages --profiles tests/faultlab/profiles ;;
    esac
    case " $* " in
        *" --all "* | *" displays "* | *" display-"* | *" screen-"* | *" window-"*) image_build displays --profiles tests/faultlab/profiles ;;
    esac
    VIGIL_BIN="$ROOT/build/release/bin" exec tests/faultlab/run "$@"
}

# shellcheck shell=bash
# shellcheck source=packaging/dev/image.sh
source "$ROOT/packaging/dev/image.sh"

demo_help() { echo "usage: ./dev demo   five faults in five VMs; for each what Vigil says and how soon"; }

demo_main() {
    image_main
    VIGIL_BIN="$ROOT/build/release/bin" exec tests/demo/run "$@"
}

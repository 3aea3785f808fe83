# shellcheck shell=bash
# noVNC, which draws a desktop in a browser, under build/tools/novnc: wanted, not needed. Without npm or a network everything is built, and the desktop's page
# says what is missing.
# shellcheck source=packaging/dev/npm.sh
source "$ROOT/packaging/dev/npm.sh"

setup_novnc() {
    npm_unpacked @novnc/novnc "$ROOT/build/tools/novnc" "desktops in a browser" core vendor docs LICENSE.txt AUTHORS || true
}

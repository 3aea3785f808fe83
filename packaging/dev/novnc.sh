# shellcheck shell=bash
# noVNC, which draws a desktop in a browser: from npm, pinned by version and hash in npm_pins.txt, unpacked into build/tools/novnc.
# It is wanted, not needed: without npm or a network everything is built, and the desktop's page says what is missing.

novnc_cache="${XDG_CACHE_HOME:-$HOME/.cache}/vigil/npm"

# novnc_pin: "version integrity"
novnc_pin() { awk '$1 == "@novnc/novnc" { print $2, $3 }' "$ROOT/packaging/dev/npm_pins.txt"; }

# novnc_fits FILE: whether it is what the pin says
novnc_fits() {
    local version integrity
    read -r version integrity < <(novnc_pin)
    [[ -f $1 && sha512-$(openssl dgst -sha512 -binary "$1" | base64 -w 0) == "$integrity" ]]
}

novnc_fetch() {
    local version integrity
    read -r version integrity < <(novnc_pin)
    mkdir -p "$novnc_cache" || return
    (cd "$novnc_cache" && npm pack --ignore-scripts --silent "@novnc/novnc@$version") || return
    novnc_fits "$novnc_cache/novnc-novnc-$version.tgz" || { echo "novnc-novnc-$version.tgz does not have the hash in npm_pins.txt"; return 1; }
}

# setup_novnc: the scripts and their licences under build/tools/novnc, redone only when the pin changed.
setup_novnc() {
    local directory="$ROOT/build/tools/novnc" version integrity archive
    read -r version integrity < <(novnc_pin)
    archive="$novnc_cache/novnc-novnc-$version.tgz"
    [[ -f $directory/core/rfb.js && -f $directory.unpacked && $(<"$directory.unpacked") == "$version $integrity" ]] && return 0
    if ! novnc_fits "$archive"; then
        command -v npm >/dev/null || { warn "no noVNC: npm is not installed; desktops in a browser need it (apt install npm, then ./dev setup)"; return 0; }
        step fetch-novnc "fetch noVNC $version from npm" novnc_fetch ||
            { warn "no noVNC: npm could not fetch it (build/log/fetch-novnc.log); desktops in a browser need it, nothing else does"; return 0; }
    fi
    rm -rf "$directory"
    mkdir -p "$directory"
    tar -xzf "$archive" -C "$directory" --strip-components=1 --no-same-owner --no-same-permissions package/core package/vendor package/docs package/LICENSE.txt package/AUTHORS
    chmod -R u=rwX,go=rX "$directory"
    printf '%s\n' "$version $integrity" >"$directory.unpacked"
}

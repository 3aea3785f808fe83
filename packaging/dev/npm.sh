# shellcheck shell=bash
# Packages that come from npm as they are: pinned by version and hash in npm_pins.txt, kept in a cache, unpacked under build/tools. No script of theirs is run.

npm_cache="${XDG_CACHE_HOME:-$HOME/.cache}/vigil/npm"

# npm_pin PACKAGE: "version integrity"
npm_pin() { awk -v package="$1" '$1 == package { print $2, $3 }' "$ROOT/packaging/dev/npm_pins.txt"; }

# npm_archive PACKAGE: where the pinned version is kept
npm_archive() {
    local version integrity name=${1#@}
    read -r version integrity < <(npm_pin "$1")
    echo "$npm_cache/${name//\//-}-$version.tgz"
}

# npm_fits PACKAGE: whether what is kept is what the pin says
npm_fits() {
    local version integrity archive
    read -r version integrity < <(npm_pin "$1")
    archive=$(npm_archive "$1")
    [[ -f $archive && sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w 0) == "$integrity" ]]
}

npm_fetch() {
    local version integrity
    read -r version integrity < <(npm_pin "$1")
    mkdir -p "$npm_cache" || return
    (cd "$npm_cache" && npm pack --ignore-scripts --silent "$1@$version") || return
    npm_fits "$1" || { echo "$(npm_archive "$1") does not have the hash in npm_pins.txt"; return 1; }
}

# npm_unpacked PACKAGE DIRECTORY WHAT_FOR PATH...: those paths of it in DIRECTORY, redone only when the pin changed. False, with a warning, when it cannot be had.
npm_unpacked() {
    local package=$1 directory=$2 what_for=$3 pin
    shift 3
    pin=$(npm_pin "$package")
    [[ -d $directory && -f $directory.unpacked && $(<"$directory.unpacked") == "$pin" ]] && return 0
    if ! npm_fits "$package"; then
        command -v npm >/dev/null || { warn "no $package: npm is not installed; $what_for need it (apt install npm, then this again)"; return 1; }
        step "fetch-${directory##*/}" "fetch $package ${pin%% *} from npm" npm_fetch "$package" ||
            { warn "no $package: npm could not fetch it (build/log/fetch-${directory##*/}.log); $what_for need it, nothing else does"; return 1; }
    fi
    rm -rf "$directory"
    mkdir -p "$directory"
    tar -xzf "$(npm_archive "$package")" -C "$directory" --strip-components=1 --no-same-owner --no-same-permissions "${@/#/package/}"
    chmod -R u=rwX,go=rX "$directory"
    printf '%s\n' "$pin" >"$directory.unpacked"
}

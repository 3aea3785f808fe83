# shellcheck shell=bash
# Packages of Debian suites that this machine's apt does not have, without touching /etc/apt: a private apt
# directory whose sources name the machine's own mirror, with the machine's own proxy and keyring.
# Files are kept in ${XDG_CACHE_HOME:-~/.cache}/vigil/debs, so that nothing is fetched twice.

# shellcheck source=packaging/dev/packages.sh
source "$ROOT/packaging/dev/packages.sh"

debs_dir="${XDG_CACHE_HOME:-$HOME/.cache}/vigil/debs"

# pin PACKAGE: "version suite sha256" from pins.txt
pin() {
    awk -v package="$1" '$1 == package { print $2, $3, $4; found = 1 } END { exit !found }' \
        "$ROOT/packaging/dev/pins.txt" || die "no pin for package $1" "it has no line in packaging/dev/pins.txt" "add one"
}

# The address from which this machine takes Debian itself.
mirror() {
    local site
    # shellcheck disable=SC2016  # $(SITE) is apt's syntax
    site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
        awk -v release="$debian_codename" '$2 == release { print $1; exit }')
    [[ -n $site ]] || die "cannot tell which Debian mirror this machine uses" \
        "'apt-get indextargets' shows no source for release '$debian_codename'" \
        "add Debian $debian_codename to /etc/apt/sources.list (or sources.list.d) and run 'apt-get update'"
    echo "$site"
}

# suite_apt DIR SUITE TOOL ARGUMENTS...: runs an apt tool that knows SUITE alone. Its lists live in DIR.
suite_apt() {
    local dir=$1 suite=$2 tool=$3
    shift 3
    "$tool" -q -o Dir::Etc::sourcelist="$dir/$suite.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$dir/state" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

suite_prepare() {
    local dir=$1 suite=$2 site
    site=$(mirror) || return
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" || return
    : >"$dir/status"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$site" "$suite" >"$dir/$suite.list"
    suite_apt "$dir" "$suite" apt-get update
}

# cached_deb PACKAGE: path of the kept file that satisfies the pin, if there is one.
cached_deb() {
    local package=$1 version suite sha256 file
    read -r version suite sha256 < <(pin "$package")
    # shellcheck disable=SC2231  # the pinned version may be a pattern
    for file in "$debs_dir/$package"_${version}_*.deb; do
        [[ -f $file ]] || continue
        if [[ $sha256 == - ]] || sha256sum --check --status <<<"$sha256  $file"; then
            echo "$file"
            return 0
        fi
    done
    return 1
}

# fetch_deb PACKAGE: brings the pinned version into the cache.
fetch_deb() {
    local package=$1 version suite sha256 dir offered
    read -r version suite sha256 < <(pin "$package") || return
    dir=$(mktemp -d "${TMPDIR:-/tmp}/vigil-apt.XXXXXX") || return
    suite_prepare "$dir" "$suite" ||
        { rm -rf "$dir"; die "cannot read Debian's $suite" "apt-get update failed for it (above)" "check this machine's mirror and proxy in /etc/apt"; }
    offered=$(suite_apt "$dir" "$suite" apt-cache madison "$package" | awk -F' *[|] *' '{ print $2; exit }')
    # shellcheck disable=SC2053  # the pinned version may be a pattern
    if [[ $offered != $version ]]; then
        rm -rf "$dir"
        die "$package $version is not to be had" \
            "it is pinned in packaging/dev/pins.txt, Debian's $suite now has '${offered:-nothing}', and $debs_dir does not hold it" \
            "copy ${package}_${version}_amd64.deb (sha256 $sha256) into $debs_dir; or pin '$offered' with its sha256 and run ./dev test"
    fi
    mkdir -p "$debs_dir"
    (cd "$dir" && suite_apt "$dir" "$suite" apt-get download "$package=$offered" && mv ./*.deb "$debs_dir/") ||
        { rm -rf "$dir"; die "$package $offered could not be fetched" "apt-get download failed (above)" "try again; check the network"; }
    rm -rf "$dir"
    cached_deb "$package" >/dev/null || die "$package $offered differs from its pin" \
        "the file in $debs_dir does not have the sha256 in packaging/dev/pins.txt" "remove the file and try again; if it persists do not use this mirror"
}

# unpack_tool PACKAGE DIRECTORY: the package's files under DIRECTORY, redone only when the file or the pin changed.
unpack_tool() {
    local package=$1 directory=$2 stamp_file="$2.unpacked" file line
    line=$(pin "$package")
    [[ -d $directory && -f $stamp_file && $(<"$stamp_file") == "$line" ]] && return 0
    if ! file=$(cached_deb "$package"); then
        step "fetch-$package" "fetch $package from Debian's $(cut -d' ' -f2 <<<"$line")" fetch_deb "$package" || exit 1
        file=$(cached_deb "$package")
    fi
    rm -rf "$directory"
    mkdir -p "$directory"
    dpkg-deb --fsys-tarfile "$file" | tar -x -C "$directory" --no-same-owner
    printf '%s\n' "$line" >"$stamp_file"
}

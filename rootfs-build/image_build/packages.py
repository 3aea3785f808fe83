"""The step `base`: a Debian root of the profile's packages by mmdebstrap, as a tar with its owners; no profile files yet."""
import json
import os
import pathlib
import shlex
import tarfile
import tempfile

from . import local_archive
from .errors import BuildError

# Never wanted in a guest. Copyright files stay.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*",
            "/usr/share/bash-completion/*", "/usr/share/bug/*", "/usr/share/doc-base/*")
KEPT = ("/usr/share/doc/*/copyright",)


# What mmdebstrap takes for each variant, in apt's words. (apt counts itself as essential; a guest that installs nothing does without.)
ESSENTIAL = "?and(?essential,?not(?exact-name(apt)))"
PATTERNS = {"essential": [ESSENTIAL], "apt": [ESSENTIAL, "apt"], "minbase": [ESSENTIAL, "apt", "?priority(required)"]}


def wanted(profile):
    """What the lock's group `root` is resolved for."""
    return {"suite": profile.suite, "variant": profile.variant, "packages": sorted(profile.packages)}


def patterns(profile):
    return PATTERNS[profile.variant] + sorted(profile.packages)


def inputs(profile, rows):
    return {**wanted(profile), "exclude": profile.exclude, "keep": profile.keep, "lock": rows}


def mode():
    return "root" if os.geteuid() == 0 else "unshare"


def command(profile, archive, out, debs):
    argv = ["mmdebstrap", f"--mode={mode()}", f"--variant={profile.variant}", "--architectures=amd64", "--format=tar"]
    if profile.packages:
        argv.append("--include=" + ",".join(sorted(profile.packages)))
    argv += [f"--dpkgopt=path-exclude={p}" for p in (*EXCLUDED, *profile.exclude)]
    argv += [f"--dpkgopt=path-include={p}" for p in (*KEPT, *profile.keep)]
    # The packages are laid where apt looks before it downloads; it checks each against the archive's index.
    argv += ["--skip=download/empty,essential/unlink", '--setup-hook=mkdir -p "$1/var/cache/apt/archives"',
             f"--setup-hook=sync-in {shlex.quote(str(debs))} /var/cache/apt/archives"]
    return argv + [profile.suite, str(out), local_archive.source_line(archive)]


def build(profile, rows, debs, directory, tools):
    """`debs`: a directory with the locked packages."""
    mend = "see the log; the lock may be damaged: --refresh resolves it anew"
    if mode() == "unshare":
        mend += "; as an ordinary user mmdebstrap needs user namespaces: package uidmap, and your name in /etc/subuid and /etc/subgid"
    # Elsewhere than in the cache: as an ordinary user apt runs as a subordinate id, to whom the user's own folders may be closed.
    with tempfile.TemporaryDirectory(prefix="vigil-archive-") as archive:
        os.chmod(archive, 0o755)
        local_archive.write(rows, debs, profile.suite, pathlib.Path(archive))
        tools.run(command(profile, archive, directory / "base.tar", debs), f"{profile.suite} with {len(profile.packages)} packages", mend)
    installed = packages_in(directory / "base.tar")
    check_installed(installed, rows)
    (directory / "packages.json").write_text(json.dumps(installed))


def check_installed(installed, rows):
    """The root holds what the lock says, no more and no less."""
    locked = {(row["name"], row["version"]): row["sha256"] for row in rows}
    found = {(row["name"], row["version"]) for row in installed}
    for pair in sorted(found ^ set(locked)):
        raise BuildError(" ".join(pair), "it is in the lock and was not installed" if pair in locked else "it was installed and is not in the lock",
                         "run the build again with --refresh")
    for row in installed:
        row["sha256"] = locked[row["name"], row["version"]]


def packages_in(path):
    """What dpkg in the root says is installed, by name."""
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name.removeprefix("./") == "var/lib/dpkg/status":
                return parse_status(tar.extractfile(member).read().decode())
    raise BuildError(str(path), "the root has no dpkg status", "see the log")


def parse_status(text):
    rows = []
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith(" "))
        if fields.get("Status") == "install ok installed":
            rows.append({"name": fields["Package"], "version": fields["Version"], "architecture": fields["Architecture"]})
    return sorted(rows, key=lambda row: row["name"])

"""The step `base`: a Debian root of the profile's packages by mmdebstrap, as a tar with its owners; no profile files yet."""
import json
import os
import shlex
import tarfile

from .errors import BuildError

# Never wanted in a guest. Copyright files stay.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*",
            "/usr/share/bash-completion/*", "/usr/share/bug/*", "/usr/share/doc-base/*")
KEPT = ("/usr/share/doc/*/copyright",)


def inputs(profile):
    return {"suite": profile.suite, "variant": profile.variant, "packages": sorted(profile.packages),
            "exclude": profile.exclude, "keep": profile.keep}


def mode():
    return "root" if os.geteuid() == 0 else "unshare"


def command(profile, sources, out, debs, options):
    argv = ["mmdebstrap", f"--mode={mode()}", f"--variant={profile.variant}", "--architectures=amd64", "--format=tar"]
    if profile.packages:
        argv.append("--include=" + ",".join(sorted(profile.packages)))
    argv += [f"--dpkgopt=path-exclude={p}" for p in (*EXCLUDED, *profile.exclude)]
    argv += [f"--dpkgopt=path-include={p}" for p in (*KEPT, *profile.keep)]
    argv += [f"--aptopt={option}" for option in options]
    kept = shlex.quote(str(debs))
    # Downloaded packages are kept between builds; apt checks each against the signed lists before it is used.
    argv += ["--skip=download/empty,essential/unlink", '--setup-hook=mkdir -p "$1/var/cache/apt/archives"',
             f"--setup-hook=sync-in {kept} /var/cache/apt/archives", f"--customize-hook=sync-out /var/cache/apt/archives {kept}"]
    return argv + [profile.suite, str(out), str(sources)]


def build(profile, sources, options, debs, directory, tools):
    listing = directory / "sources.list"
    listing.write_text("\n".join(sources) + "\n")
    debs.mkdir(parents=True, exist_ok=True)
    mend = "check the package names in the profile, the network and the mirror, then run the build again"
    if mode() == "unshare":
        mend += "; as an ordinary user mmdebstrap needs user namespaces: package uidmap, and your name in /etc/subuid and /etc/subgid"
    tools.run(command(profile, listing, directory / "base.tar", debs, options), f"{profile.suite} with {len(profile.packages)} packages", mend)
    listing.unlink()
    rows = packages_in(directory / "base.tar")
    (directory / "packages.json").write_text(json.dumps(rows))


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

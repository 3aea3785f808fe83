"""Where Debian packages come from: the mirror that this machine's own apt uses, never an address of ours."""
import dataclasses
import pathlib
import re
import subprocess
import urllib.parse

from .errors import BuildError
from .tools import search_path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FIELDS = ("ORIGIN", "LABEL", "RELEASE", "COMPONENT", "REPO_URI")
FORMAT = "|".join(f"$({f})" for f in FIELDS)
# What reaches a mirror from here must reach it from the apt that mmdebstrap runs, which does not read this machine's configuration.
TRANSPORT = re.compile(r'Acquire::(?:http|https|ftp|Retries|ForceIPv4|ForceIPv6)\S* "[^"]*";')


@dataclasses.dataclass(frozen=True)
class Mirror:
    main: str
    security: str       # empty: this machine has none configured

    def sources(self, suite):
        """sources.list lines for a stable suite, its updates and its security fixes."""
        signed = f"deb [signed-by={KEYRING}]"
        lines = [f"{signed} {self.main} {suite} main"]
        if suite not in ("sid", "unstable", "testing"):
            lines.append(f"{signed} {self.main} {suite}-updates main")
            if self.security:
                lines.append(f"{signed} {self.security} {suite}-security main")
        return lines


def parse_targets(text):
    """`apt-get indextargets` in FORMAT -> Mirror. Third-party repositories, whatever their suites, are passed over."""
    rows = [dict(zip(FIELDS, line.split("|", 4))) for line in text.splitlines() if line.count("|") >= 4]
    rows = [r for r in rows if r["REPO_URI"] and r["COMPONENT"] == "main"]
    main = first(rows, "Debian", r"/debian/?$", lambda r: "-" not in r["RELEASE"])
    security = first(rows, "Debian-Security", r"/debian-security/?$", lambda r: True)
    return Mirror(main, security)


def first(rows, label, path, fits):
    """By the label in the Release file; where lists were never fetched there is none, and the usual path must do."""
    labelled = [r for r in rows if r["LABEL"] == label and r["ORIGIN"] == "Debian" and fits(r)]
    unread = [r for r in rows if not r["LABEL"] and re.search(path, r["REPO_URI"]) and fits(r)]
    return next((r["REPO_URI"] for r in labelled + unread), "")


def of_this_machine():
    command = ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": search_path(), "LC_ALL": "C.UTF-8"})
    mirror = parse_targets(done.stdout)
    if not mirror.main:
        raise BuildError("apt's sources", f"no Debian mirror among them{': ' + done.stderr.strip() if done.stderr.strip() else ''}",
                         "add a Debian suite to apt's sources, or give --mirror URL")
    return mirror


def transport_options():
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False, env={"PATH": search_path(), "LC_ALL": "C.UTF-8"})
    return [line.strip() for line in done.stdout.splitlines() if TRANSPORT.fullmatch(line.strip())]


NO_SUCH_PACKAGE = re.compile(r"E: (?:Unable to locate package (\S+)|Package '([^']+)' has no installation candidate)")


def named(error):
    """What apt said of a package that it does not know, as that package's error; another error as it is."""
    unknown = NO_SUCH_PACKAGE.search(error.cause)
    if not unknown:
        return error
    return BuildError(f"package {unknown[1] or unknown[2]}", "the suite has no package of this name", "mend it in the profile's packages (profile.json), or name a suite that has it")


class PrivateApt:
    """An apt of our own for one suite: it reads and writes nothing of the machine's but its mirror's address and the Debian keys."""

    def __init__(self, directory, sources, tools):
        self.directory, self.tools, self.is_updated = pathlib.Path(directory), tools, False
        if not pathlib.Path(KEYRING).is_file():
            raise BuildError(KEYRING, "Debian's signing keys are missing", "apt-get install debian-archive-keyring")
        for name in ("lists/partial", "cache/archives/partial"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "sources.list").write_text("\n".join(sources) + "\n")
        (self.directory / "status").touch()
        (self.directory / "apt.conf").write_text("\n".join(self.configuration()) + "\n")

    def configuration(self):
        d = self.directory
        return [f'Dir::Etc::sourcelist "{d}/sources.list";', 'Dir::Etc::sourceparts "/dev/null";', 'Dir::Etc::preferencesparts "/dev/null";',
                f'Dir::State "{d}";', f'Dir::State::status "{d}/status";', f'Dir::Cache "{d}/cache";', 'Debug::NoLocking "true";',
                'APT::Architecture "amd64";', 'APT::Sandbox::User "root";', 'Acquire::Languages "none";', *transport_options()]

    def run(self, program, *arguments, **options):
        mend = "check the network and the mirror in apt's sources (or --mirror URL), then run the build again"
        return self.tools.run([program, *arguments], options.pop("item"), mend, env={"APT_CONFIG": f"{self.directory}/apt.conf"}, **options)

    def update_once(self):
        """The mirror's lists, fetched once in a build."""
        if not self.is_updated:
            self.update()
            self.is_updated = True

    def update(self):
        self.run("apt-get", "update", "-q", "--error-on=any", item="package lists")

    def show(self, package):
        """The fields of the version that apt would install."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", package):
            raise BuildError(package, "not a package name", "mend the profile")
        text = self.run("apt-cache", "show", "--no-all-versions", package, item=f"package {package}").decode()
        return dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", text, re.MULTILINE))

    def closure(self, patterns):
        """What apt would install into an empty system for `patterns`, as rows of a lock."""
        item = f"packages {' '.join(patterns)}"
        try:
            out = self.run("apt-get", "install", "-qq", "--print-uris", "--no-install-recommends", *patterns, item=item).decode()
        except BuildError as error:
            raise named(error) from error
        names = re.findall(r"^'[^']+' ([a-z0-9+.-]+)_(\S+)_(amd64|all)\.deb ", out, re.MULTILINE)
        return self.rows([(name, urllib.parse.unquote(version)) for name, version, _ in names])

    def rows(self, names_and_versions):
        """Rows of a lock for [(name, version)], with the hashes of the signed lists."""
        wanted = [f"{name}={version}" for name, version in names_and_versions]
        if not wanted:
            return []
        out = self.run("apt-cache", "show", *wanted, item="package facts").decode()
        found = {}
        for paragraph in out.split("\n\n"):
            f = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", paragraph, re.MULTILINE))
            if "SHA256" in f:
                found[f["Package"], f["Version"]] = {"name": f["Package"], "version": f["Version"], "architecture": f["Architecture"],
                                                     "sha256": f["SHA256"], "bytes": int(f["Size"])}
        missing = [f"{name} {version}" for name, version in names_and_versions if (name, version) not in found]
        if missing:
            raise BuildError(missing[0], "the package lists have no SHA-256 for it", "see the log")
        return sorted((found[pair] for pair in names_and_versions), key=lambda row: row["name"])

    def download_exactly(self, rows, directory):
        """The files of these versions, as far as the mirror still has them; the caller looks which came and what they hash to."""
        held = self.held(rows)
        if held:
            names = [f"{row['name']}={row['version']}" for row in held]
            self.run("apt-get", "download", "-q", *names, item=f"{len(held)} packages", cwd=directory)

    def held(self, rows):
        """Those of `rows` that the mirror still offers in exactly this version."""
        out = self.run("apt-cache", "madison", *[row["name"] for row in rows], item="package versions").decode()
        offered = {tuple(part.strip() for part in line.split("|")[:2]) for line in out.splitlines()}
        return [row for row in rows if (row["name"], row["version"]) in offered]

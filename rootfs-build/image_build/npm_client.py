"""npm packages by this machine's own npm: which ones there are for an image, and their files. npm installs nothing and runs no script of a package."""
import json
import os

from .errors import BuildError
from .lock import NPM_FIELDS, row_faults
from .tools import check_tools

NEEDED = {"npm": "npm"}
# What an image is: packages for other machines are left out.
TARGET = {"os": "linux", "cpu": "x64", "libc": "glibc"}
QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
# What reaches the registry from here, like apt's transport settings; never written anywhere.
CARRIED = ("npm_config_", "node_extra_ca_certs", "ssl_cert_")


def environment():
    return {key: value for key, value in os.environ.items() if key.lower().startswith(CARRIED)}


class NpmClient:
    def __init__(self, directory, tools):
        check_tools(NEEDED)
        self.directory, self.tools = directory, tools

    def run(self, *words, item):
        mend = "check the names and versions in the profile's \"npm\", the network, and the registry that this machine's npm uses"
        env = {**environment(), "npm_config_cache": str(self.directory / "cache"), "npm_config_logs_max": "0"}
        return self.tools.run(["npm", *words, *QUIET], item, mend, cwd=self.directory, env=env)

    def resolve(self, specs):
        """Rows of a lock for [NAME@VERSION] and all that they need on an image's machine."""
        wanted = dict(spec.rpartition("@")[::2] for spec in sorted(specs))
        (self.directory / "package.json").write_text(json.dumps({"name": "image", "private": True, "dependencies": wanted}))
        self.run("install", "--package-lock-only", "--omit-lockfile-registry-resolved", item=f"npm packages {' '.join(sorted(specs))}")
        return chosen(json.loads((self.directory / "package-lock.json").read_text())["packages"], sorted(wanted))

    def download(self, rows, directory):
        """The packages as files in `directory`, by whatever names; the caller looks what they hash to."""
        specs = [f"{row['name']}@{row['version']}" for row in rows]
        self.run("pack", "--silent", f"--pack-destination={directory}", *specs, item=f"{len(rows)} npm packages")


def fits(entry):
    """Whether a package is for an image's machine, by its own `os`, `cpu` and `libc` (lists of names, or of `!name`)."""
    for key, ours in TARGET.items():
        said = entry.get(key) or []
        said = [said] if isinstance(said, str) else said
        if f"!{ours}" in said or (any(not name.startswith("!") for name in said) and ours not in said):
            return False
    return True


def chosen(entries, wanted):
    """Rows for what `wanted` reach in npm's own lock. A package that fits another machine is left out; so is an optional one that would have to be
    compiled here by its install script, for no script is run."""
    rows, queue = {}, [f"node_modules/{name}" for name in wanted]
    while queue:
        path = queue.pop()
        if path in rows:
            continue
        entry = entries[path]
        rows[path] = row_of(path, entry)
        for name, is_optional in needs_of(entry):
            found = place_of(entries, path, name)
            if found is None or not fits(entries[found]) or is_optional and entries[found].get("hasInstallScript"):
                if is_optional:
                    continue
                raise BuildError(f"{rows[path]['name']} {rows[path]['version']}", f"needs {name}, which there is not for {'/'.join(TARGET.values())}",
                                 "choose another version in the profile's \"npm\"")
            queue.append(found)
    return [rows[path] for path in sorted(rows)]


def needs_of(entry):
    """[(name, whether it may be left out)]."""
    optional = {*entry.get("optionalDependencies", {}), *(name for name, facts in entry.get("peerDependenciesMeta", {}).items() if facts.get("optional"))}
    names = {*entry.get("dependencies", {}), *entry.get("peerDependencies", {}), *optional}
    return sorted((name, name in optional) for name in names)


def place_of(entries, path, name):
    """Where Node finds `name` from `path`: in its own node_modules, else in those around it."""
    around = path
    while True:
        place = f"{around}/node_modules/{name}" if around else f"node_modules/{name}"
        if place in entries:
            return place
        if not around:
            return None
        around = around.rpartition("/node_modules/")[0] if "/node_modules/" in around else ""


def row_of(path, entry):
    said = entry.get("integrity", "")
    # Older hashes may stand beside the one that we take.
    integrity = next((one for one in said.split() if one.startswith("sha512-")), said)
    row = {"name": entry.get("name", path.rpartition("node_modules/")[2]), "version": entry.get("version", ""), "integrity": integrity, "path": path}
    if fault := row_faults(row, "npm"):
        raise BuildError(path, f"npm's answer is no package of a registry: {fault}", f"an npm package needs {', '.join(NPM_FIELDS)}")
    return row

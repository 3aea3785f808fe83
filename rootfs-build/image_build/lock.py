"""The lock: which packages, in which version and with which hash, an image is made of. Resolved once, then kept until somebody asks for newer ones.

Shape:  {"format": 1, "resolved_unix": T, "groups": {NAME: {"wanted": {...}, "packages": [{"name","version","architecture","sha256","bytes"}...]}}}.
        A group is resolved anew when the profile asks for other packages than those it was resolved for.
        The group `npm` has {"name","version","integrity","path"} instead: what npm itself checks a package by, and where in node_modules it lies. No address
        of a registry is in it: this machine's npm knows its own.
Where:  CACHE/locks/PROFILE.json, or the file that --lock names, which can be kept in a repository and carried to another machine.
"""
import json
import pathlib
import re
import time

from .errors import BuildError

FORMAT = 1
FIELDS = {"name": r"[a-z0-9][a-z0-9+.-]+", "version": r"[0-9A-Za-z.+~:-]+", "architecture": r"amd64|all", "sha256": r"[0-9a-f]{64}"}


NPM = "npm"
NPM_NAME = r"(?:@[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
NPM_FIELDS = {"name": NPM_NAME, "version": r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*", "integrity": r"sha512-[A-Za-z0-9+/]{86}==",
              "path": f"node_modules/{NPM_NAME}(?:/node_modules/{NPM_NAME})*"}


def row_faults(row, group):
    fields, more = (NPM_FIELDS, set()) if group == NPM else (FIELDS, {"bytes"})
    if not isinstance(row, dict) or set(row) != {*fields, *more}:
        return "its keys must be " + ", ".join(sorted({*fields, *more}))
    for key, pattern in fields.items():
        if not isinstance(row[key], str) or not re.fullmatch(pattern, row[key]):
            return f"{key} is {row[key]!r:.60}"
    return "bytes is not a number" if more and not (isinstance(row["bytes"], int) and row["bytes"] > 0) else ""


def faults_of(value):
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        return [f"not a lock of format {FORMAT}"]
    if not isinstance(value.get("resolved_unix"), int) or not isinstance(value.get("groups"), dict):
        return ["resolved_unix or groups are missing"]
    faults = []
    for name, group in value["groups"].items():
        if not isinstance(group, dict) or not isinstance(group.get("packages"), list) or "wanted" not in group:
            faults.append(f"group {name}: wanted or packages are missing")
            continue
        faults += [f"group {name}, package {at}: {fault}" for at, row in enumerate(group["packages"]) if (fault := row_faults(row, name))]
    return faults


class Lock:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.value = {"format": FORMAT, "resolved_unix": 0, "groups": {}}
        if self.path.exists():
            self.value = self.read()

    def read(self):
        try:
            value = json.loads(self.path.read_text())
        except (ValueError, UnicodeDecodeError) as error:
            raise BuildError(str(self.path), f"not JSON: {error}", "restore the lock file, or remove it to resolve anew", "resolve") from error
        if faults := faults_of(value):
            raise BuildError(str(self.path), "; ".join(faults[:5]), "restore the lock file, or remove it to resolve anew", "resolve")
        return value

    @property
    def resolved_unix(self):
        return self.value["resolved_unix"]

    def holds(self, group, wanted):
        return self.value["groups"].get(group, {}).get("wanted") == wanted

    def rows(self, group):
        return self.value["groups"][group]["packages"]

    def debian_rows(self):
        return [row for name, group in self.value["groups"].items() if name != NPM for row in group["packages"]]

    def npm_rows(self):
        return self.value["groups"].get(NPM, {}).get("packages", [])

    def keep(self, group, wanted, rows):
        """Complete or as it was: a lock that is half written would be another image."""
        same = group in self.value["groups"] and self.rows(group) == rows
        self.value["groups"][group] = {"wanted": wanted, "packages": rows}
        if not same:
            self.value["resolved_unix"] = int(time.time())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.write_text(json.dumps(self.value, indent=1, sort_keys=True) + "\n")
        fresh.rename(self.path)


def told(rows, before):
    """What a refresh changed, for people: at most a few names."""
    old, new = ({row.get("path", row["name"]).removeprefix("node_modules/"): row["version"] for row in some} for some in (before, rows))
    changed = [f"{name} {old[name]} -> {new[name]}" for name in sorted(new) if name in old and old[name] != new[name]]
    changed += [f"{name} {new[name]} (new)" for name in sorted(new) if name not in old] if old else []
    changed += [f"{name} (gone)" for name in sorted(old) if name not in new]
    return ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else "")

"""The lock: which packages, in which version and with which hash, an image is made of. Resolved once, then kept until somebody asks for newer ones.

Shape:  {"format": 1, "resolved_unix": T, "groups": {NAME: {"wanted": {...}, "packages": [{"name","version","architecture","sha256","bytes"}...]}}}.
        A group is resolved anew when the profile asks for other packages than those it was resolved for.
Where:  CACHE/locks/PROFILE.json, or the file that --lock names, which can be kept in a repository and carried to another machine.
"""
import json
import pathlib
import re
import time

from .errors import BuildError

FORMAT = 1
FIELDS = {"name": r"[a-z0-9][a-z0-9+.-]+", "version": r"[0-9A-Za-z.+~:-]+", "architecture": r"amd64|all", "sha256": r"[0-9a-f]{64}"}


def row_faults(row):
    if not isinstance(row, dict) or set(row) != {*FIELDS, "bytes"}:
        return "its keys must be " + ", ".join(sorted({*FIELDS, "bytes"}))
    for key, pattern in FIELDS.items():
        if not isinstance(row[key], str) or not re.fullmatch(pattern, row[key]):
            return f"{key} is {row[key]!r:.60}"
    return "" if isinstance(row["bytes"], int) and row["bytes"] > 0 else "bytes is not a number"


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
        faults += [f"group {name}, package {at}: {fault}" for at, row in enumerate(group["packages"]) if (fault := row_faults(row))]
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

    def all_rows(self):
        return [row for group in self.value["groups"].values() for row in group["packages"]]

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
    old = {row["name"]: row["version"] for row in before}
    new = {row["name"]: row["version"] for row in rows}
    changed = [f"{name} {old[name]} -> {new[name]}" for name in sorted(new) if name in old and old[name] != new[name]]
    changed += [f"{name} {new[name]} (new)" for name in sorted(new) if name not in old] if old else []
    changed += [f"{name} (gone)" for name in sorted(old) if name not in new]
    return ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else "")

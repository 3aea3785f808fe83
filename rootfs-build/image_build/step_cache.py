"""Each step's output, kept under the hash of everything that went into it: inputs, and the source of the modules that made it.

Of each step the newest few are kept for each owner (the profile), so that profiles do not evict each other. An entry is a directory DIR/STEP/KEY; it appears by rename when complete, so an interrupted build leaves none behind.
"""
import hashlib
import inspect
import json
import os
import pathlib
import shutil
import time

KEPT_PER_STEP = 3
# Of an owner (a profile) that was not built for so long nothing is kept for its own sake.
FORGOTTEN_S = 30 * 86_400
OWNERS = ".owners"


def key_of(inputs, *modules):
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for module in modules:
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()


def hash_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_of_tree(root):
    """Paths, executable bits, link targets and contents; not owners or times, which a checkout does not keep."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(root).rglob("*")):
        if path.is_symlink():
            fact = "link " + os.readlink(path)
        elif path.is_dir():
            fact = "dir"
        else:
            fact = f"file {bool(path.stat().st_mode & 0o100)} {hash_of_file(path)}"
        digest.update(f"{path.relative_to(root)}\0{fact}\0".encode())
    return digest.hexdigest()


class StepCache:
    def __init__(self, directory, progress, owner=""):
        self.directory, self.progress, self.owner = pathlib.Path(directory), progress, owner

    def has(self, step, key):
        return (self.directory / step / key).is_dir()

    def get(self, step, key, what, build, refresh=False):
        """The directory with the step's output; `build(directory)` fills it when it is not there."""
        entry = self.directory / step / key
        if entry.is_dir() and not refresh:
            os.utime(entry)
            self.own(step, key)
            self.progress.unchanged(step, what)
            return entry
        with self.progress.step(step, what):
            fresh = self.directory / step / f".new-{os.getpid()}"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            try:
                build(fresh)
                self.replace(fresh, entry)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        self.own(step, key)
        self.prune(entry.parent)
        return entry

    def own(self, step, key):
        """Notes that the owner has used this entry now."""
        path = self.directory / OWNERS / step / (self.owner or "nobody")
        path.parent.mkdir(parents=True, exist_ok=True)
        keys = path.read_text().split() if path.is_file() else []
        fresh = path.with_name(f".{path.name}-{os.getpid()}")
        fresh.write_text("\n".join([key, *(kept for kept in keys if kept != key)][:KEPT_PER_STEP]) + "\n")
        fresh.rename(path)

    def replace(self, fresh, entry):
        old = entry.with_name(f".old-{os.getpid()}")
        if entry.exists():
            entry.rename(old)
        fresh.rename(entry)
        shutil.rmtree(old, ignore_errors=True)

    def prune(self, step_directory):
        """The caller holds the cache's lock, so whatever starts with a dot was left by a killed build."""
        owned = self.owned(step_directory.name)
        entries = sorted(step_directory.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
        nobodys = [path.name for path in entries if path.name not in owned and not path.name.startswith(".")]
        kept = owned.union(nobodys[:max(0, KEPT_PER_STEP - len(owned))])
        for path in entries:
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def owned(self, step):
        """Keys that some owner keeps; what was not used for long is forgotten."""
        keys = set()
        for path in (self.directory / OWNERS / step).glob("*"):
            if path.name.startswith(".") or time.time() - path.stat().st_mtime > FORGOTTEN_S:
                path.unlink(missing_ok=True)
            else:
                keys.update(path.read_text().split())
        return keys

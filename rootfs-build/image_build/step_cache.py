"""Each step's output, kept under the hash of everything that went into it: inputs, and the source of the modules that made it.

An entry is a directory DIR/STEP/KEY; it appears by rename when complete, so an interrupted build leaves none behind.
"""
import hashlib
import inspect
import json
import os
import pathlib
import shutil

KEPT_PER_STEP = 3


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
    def __init__(self, directory, progress):
        self.directory, self.progress = pathlib.Path(directory), progress

    def has(self, step, key):
        return (self.directory / step / key).is_dir()

    def get(self, step, key, what, build, refresh=False):
        """The directory with the step's output; `build(directory)` fills it when it is not there."""
        entry = self.directory / step / key
        if entry.is_dir() and not refresh:
            os.utime(entry)
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
        self.prune(entry.parent)
        return entry

    def replace(self, fresh, entry):
        old = entry.with_name(f".old-{os.getpid()}")
        if entry.exists():
            entry.rename(old)
        fresh.rename(entry)
        shutil.rmtree(old, ignore_errors=True)

    @staticmethod
    def prune(step_directory):
        """Keeps the newest entries. The caller holds the cache's lock, so whatever starts with a dot was left by a killed build."""
        entries = sorted(step_directory.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
        kept = [p for p in entries if not p.name.startswith(".")][:KEPT_PER_STEP]
        for path in entries:
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True)

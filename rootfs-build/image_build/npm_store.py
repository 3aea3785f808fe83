"""npm packages, kept by the hash that the lock names, as package_store keeps Debian's: what does not hash to it is not used."""
import base64
import hashlib
import os
import pathlib
import shutil
import tempfile
import time

from .errors import BuildError
from .package_store import KEPT_UNUSED_S


def said(row):
    return f"{row['name']} {row['version']}"


def integrity_of(path):
    digest = hashlib.sha512()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return "sha512-" + base64.b64encode(digest.digest()).decode()


class NpmStore:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def path_of(self, integrity):
        return self.directory / f"{base64.b64decode(integrity.removeprefix('sha512-')).hex()}.tgz"

    def bring(self, rows, client):
        """{integrity: path} of every package, checked. `client()`, a context, gives an npm that can download; entered only when one is missing."""
        if missing := [row for row in rows if not self.path_of(row["integrity"]).is_file()]:
            self.fetch(missing, client)
        found = {row["integrity"]: self.path_of(row["integrity"]) for row in rows}
        for row in rows:
            path = found[row["integrity"]]
            if integrity_of(path) != row["integrity"]:
                path.unlink()
                raise BuildError(said(row), "the kept file is damaged; it was removed", "run the build again: it will be downloaded anew")
            os.utime(path)
        return found

    def fetch(self, rows, client):
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetched-", dir=self.directory) as folder, client() as npm:
            npm.download(rows, folder)
            came = {integrity_of(path): path for path in sorted(pathlib.Path(folder).glob("*.tgz"))}
            for row in rows:
                if row["integrity"] not in came:
                    raise BuildError(said(row), f"the registry's file does not hash to the lock's {row['integrity'][:23]}...",
                                     "do not use this registry; or --refresh resolves anew")
                fresh = self.path_of(row["integrity"]).with_suffix(".new")
                shutil.copyfile(came[row["integrity"]], fresh)
                fresh.rename(self.path_of(row["integrity"]))

    def sweep(self, locks):
        """Removes what no lock here names and nobody used for a month."""
        named = {self.path_of(row["integrity"]) for lock in locks for row in lock.npm_rows()}
        for path in self.directory.glob("*.tgz") if self.directory.is_dir() else ():
            if path not in named and time.time() - path.stat().st_mtime > KEPT_UNUSED_S:
                path.unlink()

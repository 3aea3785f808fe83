"""Downloaded packages, kept by their hash, so that a lock can be built when the mirror has moved on. Nothing is trusted for its name: what does
not hash to what the lock says is not used."""
import os
import pathlib
import shutil
import time

from .errors import BuildError
from .step_cache import hash_of_file

KEPT_UNUSED_S = 30 * 86_400


def file_name(row):
    """As apt names it: the colon of an epoch is escaped."""
    return f"{row['name']}_{row['version'].replace(':', '%3a')}_{row['architecture']}.deb"


def said(row):
    return f"{row['name']} {row['version']}"


class PackageStore:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def path_of(self, row):
        return self.directory / f"{row['sha256']}.deb"

    def missing(self, rows):
        return [row for row in rows if not self.path_of(row).is_file()]

    def bring(self, rows, directory, apt_of):
        """Every package of `rows` as a file in `directory`, checked. `apt_of()` gives an apt that can download; it is asked for only when one is missing."""
        if missing := self.missing(rows):
            self.fetch(missing, directory, apt_of())
        for row in rows:
            kept, target = self.path_of(row), directory / file_name(row)
            if hash_of_file(kept) != row["sha256"]:
                kept.unlink()
                raise BuildError(said(row), "the kept file is damaged; it was removed", "run the build again: it will be downloaded anew")
            os.utime(kept)
            place(kept, target)

    def fetch(self, rows, scratch, apt):
        self.directory.mkdir(parents=True, exist_ok=True)
        folder = scratch / "fetched"
        folder.mkdir()
        try:
            apt.download_exactly(rows, folder)
            for row in rows:
                self.keep(row, folder / file_name(row))
        finally:
            shutil.rmtree(folder)

    def keep(self, row, path):
        if not path.is_file():
            raise BuildError(said(row), "the mirror has it no more, and no copy is kept here", "--refresh resolves newer versions; or bring CACHE/packages of a "
                             "machine that has built this lock")
        if (found := hash_of_file(path)) != row["sha256"]:
            raise BuildError(said(row), f"the mirror's file hashes to {found}, the lock says {row['sha256']}", "do not use this mirror; or --refresh")
        fresh = self.directory / f".{row['sha256']}.new"
        shutil.copyfile(path, fresh)
        fresh.rename(self.path_of(row))

    def sweep(self, locks):
        """Removes what no lock here names and nobody used for a month."""
        named = {row["sha256"] for lock in locks for row in lock.debian_rows()}
        for path in self.directory.glob("*.deb") if self.directory.is_dir() else ():
            if path.stem not in named and time.time() - path.stat().st_mtime > KEPT_UNUSED_S:
                path.unlink()


def place(source, target):
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

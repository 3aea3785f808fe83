"""The step `resolve`: which packages a build takes, out of its lock, or out of the mirror's lists when the lock has no answer or --refresh asks."""
import contextlib
import pathlib
import tempfile

from . import lock as locks_of_packages
from . import mirror
from .errors import BuildError
from .npm_client import NpmClient
from .npm_store import NpmStore
from .package_store import PackageStore


class Resolver:
    def __init__(self, cache, mirror_url, refresh, progress, tools):
        self.cache, self.mirror_url, self.refresh, self.progress, self.tools = cache, mirror_url, refresh, progress, tools
        self.store = PackageStore(cache / "packages")
        self.npm_store = NpmStore(cache / "npm")
        self.apts = {}

    def default_lock(self, name):
        return locks_of_packages.Lock(self.cache / "locks" / f"{name}.json")

    def rows(self, lock, group, suite, wanted, ask):
        """`ask(apt)` gives the rows; called only when the lock does not hold them."""
        return self.resolved(lock, group, wanted, f"{group} of {suite}, by the mirror's lists", lambda: ask(self.updated_apt(suite)))

    def npm_rows(self, lock, specs):
        def ask():
            with self.npm() as client:
                return client.resolve(specs)
        return self.resolved(lock, locks_of_packages.NPM, {"packages": sorted(specs)}, f"{len(specs)} npm packages and what they need", ask)

    def resolved(self, lock, group, wanted, what, ask):
        if lock.holds(group, wanted) and not self.refresh:
            return lock.rows(group)
        with self.progress.step("resolve", what):
            before = lock.rows(group) if group in lock.value["groups"] else []
            rows = ask()
            lock.keep(group, wanted, rows)
            if changes := locks_of_packages.told(rows, before):
                self.progress.tell("resolved", f"resolve: {group}: {changes}", group=group, changes=changes)
        return rows

    @contextlib.contextmanager
    def npm(self):
        """This machine's npm, with a cache and a home that are gone afterwards."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".npm-", dir=self.cache) as directory:
            yield NpmClient(pathlib.Path(directory), self.tools)

    def npm_packages(self, rows):
        """{integrity: path} of all, brought into the cache by their hashes."""
        return self.npm_store.bring(rows, self.npm)

    def apt(self, suite):
        # The mirror is looked for only when something is fetched: apt takes half a second to answer.
        if suite not in self.apts:
            chosen = mirror.Mirror(self.mirror_url, "") if self.mirror_url else mirror.of_this_machine()
            self.apts[suite] = mirror.PrivateApt(self.cache / "apt" / suite, chosen.sources(suite), self.tools)
        return self.apts[suite]

    def updated_apt(self, suite):
        apt = self.apt(suite)
        apt.update_once()
        return apt

    @contextlib.contextmanager
    def packages(self, rows, suite):
        """A directory with the files of `rows`, for as long as a step needs them."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".packages-", dir=self.cache) as directory:
            self.store.bring(rows, pathlib.Path(directory), lambda: self.updated_apt(suite))
            yield pathlib.Path(directory)

    def sweep(self):
        """A lock that cannot be read is somebody else's trouble; as long as it is there nothing is removed, for it may name anything."""
        with contextlib.suppress(BuildError):
            locks = [locks_of_packages.Lock(path) for path in sorted((self.cache / "locks").glob("*.json"))]
            self.store.sweep(locks)
            self.npm_store.sweep(locks)

"""The step `resolve`: which packages a build takes, out of its lock, or out of the mirror's lists when the lock has no answer or --refresh asks."""
import contextlib
import pathlib
import tempfile

from . import lock as locks_of_packages
from . import mirror
from .errors import BuildError
from .package_store import PackageStore


class Resolver:
    def __init__(self, cache, mirror_url, refresh, progress, tools):
        self.cache, self.mirror_url, self.refresh, self.progress, self.tools = cache, mirror_url, refresh, progress, tools
        self.store = PackageStore(cache / "packages")
        self.apts = {}

    def default_lock(self, name):
        return locks_of_packages.Lock(self.cache / "locks" / f"{name}.json")

    def rows(self, lock, group, suite, wanted, ask):
        """`ask(apt)` gives the rows; called only when the lock does not hold them."""
        if lock.holds(group, wanted) and not self.refresh:
            return lock.rows(group)
        with self.progress.step("resolve", f"{group} of {suite}, by the mirror's lists"):
            before = lock.rows(group) if group in lock.value["groups"] else []
            rows = ask(self.updated_apt(suite))
            lock.keep(group, wanted, rows)
            if changes := locks_of_packages.told(rows, before):
                self.progress.tell("resolved", f"resolve: {group}: {changes}", group=group, changes=changes)
        return rows

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
            self.store.sweep([locks_of_packages.Lock(path) for path in sorted((self.cache / "locks").glob("*.json"))])

"""An image of what a user brings: the pipeline of a build, with his tar or directory in the place of Debian's packages. Kernel, initramfs, lint and boot test
are those of every image."""
import hashlib
import json
import pathlib
import tempfile

from . import agent, import_source, packages, service_files
from .errors import BuildError
from .pipeline import Build
from .profile import Profile
from .step_cache import hash_of_file, key_of


class ImportBuild(Build):
    """`like`: the profile whose kernel, least memory and suite (for e2fsprogs) it takes over."""

    def __init__(self, name, source, like, allowed, request, progress, log):
        self.source, self.empty = pathlib.Path(source), tempfile.TemporaryDirectory(prefix="vigil-import-")
        values = {**like.values, "name": name, "description": f"imported from {self.source.name}", "packages": [], "npm": [], "users": [], "programs": [],
                  "lint_allow": allowed}
        directory = pathlib.Path(self.empty.name)
        (directory / "files").mkdir()
        super().__init__(Profile(directory, values, []), request, progress, log)
        if not request.lock:
            self.lock = self.resolver.default_lock(like.name)   # the same kernel and e2fsprogs, and no mirror when that was built here

    def run(self):
        try:
            return super().run()
        finally:
            self.empty.cleanup()

    def base(self):
        self.steps.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=self.steps.directory) as scratch, self.progress.step("import", str(self.source)):
            tar = pathlib.Path(scratch) / "base.tar"
            left_out = import_source.bring(self.source, tar)
            if left_out:
                self.progress.tell("left_out", f"import: {len(left_out)} device nodes are left out, the guest makes its own: {named(left_out)}", names=left_out[:50])
            self.profile.services.extend(self.services_in(tar))
            digest = hash_of_file(tar)

            def build(directory):
                tar.rename(directory / "base.tar")
                (directory / "packages.json").write_text(json.dumps(packages_in(directory / "base.tar")))
            key = key_of({"tar": digest}, import_source, packages)
            return self.steps.get("base", key, f"{self.source.name}, {hashlib.sha256(digest.encode()).hexdigest()[:12]}", build), key

    def declared_programs(self):
        return None

    def services_in(self, tar):
        with tempfile.TemporaryDirectory() as folder:
            import_source.service_files(tar, pathlib.Path(folder))
            names = service_files.check_directory(pathlib.Path(folder))
            agent.check_services(self.request.agent, pathlib.Path(folder))
            return names


def named(paths, shown=12):
    return ", ".join(map(repr, paths[:shown])) + (f" and {len(paths) - shown} more" if len(paths) > shown else "")


def packages_in(tar):
    """By its dpkg status, if it is a Debian."""
    try:
        return packages.packages_in(tar)
    except BuildError:
        return []

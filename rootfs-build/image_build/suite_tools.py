"""The target suite's own e2fsprogs, run from its unpacked packages: which e2fsprogs this machine has does not reach the image. (Debian 12's mke2fs
copies change times and follows the order of the build machine's directories; Debian 13's does neither, given SOURCE_DATE_EPOCH.)"""
import pathlib
import shutil

from .errors import BuildError

PACKAGES = ["e2fsprogs"]
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = f"{LIBRARIES}/ld-linux-x86-64.so.2"


def unpack(debs, directory, tools):
    for deb in sorted(debs.glob("*.deb")):
        tools.run(["dpkg-deb", "-x", deb, directory / "root"], deb.name, "run the build again with --refresh")
    for name in ("share", "lib/locale"):
        shutil.rmtree(directory / "root/usr" / name, ignore_errors=True)
    SuiteTools(directory)


class SuiteTools:
    def __init__(self, directory):
        self.root = pathlib.Path(directory) / "root"
        for path in (LOADER, "usr/sbin/mke2fs", "usr/sbin/debugfs", "usr/sbin/e2fsck"):
            if not (self.root / path).is_file():
                raise BuildError("e2fsprogs", f"the suite's packages bring no {path}", "run the build again with --refresh")

    def command(self, program):
        """argv of `program` with the suite's own libraries."""
        return [str(self.root / LOADER), "--library-path", str(self.root / LIBRARIES), str(self.root / "usr/sbin" / program)]

    def all(self):
        return {name: self.command(name) for name in ("e2fsck", "debugfs")}

    def environment(self):
        return {"MKE2FS_CONFIG": str(self.root / "etc/mke2fs.conf")}

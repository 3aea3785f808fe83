"""Kernels of our own: what rootfs-build/kernels/NAME says, and Debian's source package of it ."""
import dataclasses
import pathlib
import re
import shutil

from . import jsonc, kernel_config
from .errors import BuildError

PACKAGE = re.compile(r"linux-source-[0-9]+\.[0-9]+")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
KEYS = {"format", "name", "suite", "package"}


@dataclasses.dataclass(frozen=True)
class Recipe:
    name: str
    suite: str
    package: str
    fragment: str       # its text


def load(kernels, name):
    directory = pathlib.Path(kernels) / name
    path = directory / "kernel.json"
    if not NAME.fullmatch(name) or not path.is_file():
        there = sorted(p.parent.name for p in pathlib.Path(kernels).glob("*/kernel.json"))
        raise BuildError(f"kernel {name}", "there is no such kernel to build", f"kernels are: {', '.join(there)}")
    try:
        values = jsonc.parse(path.read_text())
    except (jsonc.JsoncError, UnicodeDecodeError) as error:
        raise BuildError(str(path), f"not JSON: {error}", "mend the file") from error
    fragment = (directory / "fragment.config").read_text()
    faults = [*faults_of(values, name), *(f"fragment.config: {fault}" for fault in kernel_config.faults_of_fragment(fragment))]
    if faults:
        raise BuildError(str(path), "; ".join(faults), "mend the kernel's folder; rootfs-build/kernels/README.md tells its parts")
    return Recipe(name, values["suite"], values["package"], fragment)


def faults_of(values, name):
    if not isinstance(values, dict) or set(values) != KEYS:
        return [f"its keys must be {', '.join(sorted(KEYS))}"]
    faults = []
    if values["format"] != 1:
        faults.append('"format" must be 1')
    if values["name"] != name:
        faults.append(f'"name" must be the folder\'s name, "{name}"')
    if not (isinstance(values["suite"], str) and NAME.fullmatch(values["suite"])):
        faults.append('"suite" must be the name of a Debian suite')
    if not (isinstance(values["package"], str) and PACKAGE.fullmatch(values["package"])):
        faults.append('"package" must be a Debian package linux-source-X.Y')
    return faults


def wanted(recipe):
    """What the lock's group `kernel-source` is resolved for."""
    return {"suite": recipe.suite, "package": recipe.package}


def resolve(recipe, apt):
    return apt.rows([(recipe.package, apt.show(recipe.package).get("Version", ""))])


def unpack(row, deb, directory, tools):
    """The source archive out of its package, as directory/linux.tar.xz."""
    unpacked = directory / "unpacked"
    tools.run(["dpkg-deb", "-x", deb, unpacked], f"package {row['name']}", "run the build again with --refresh")
    found = sorted(unpacked.glob("usr/src/linux-source-*.tar.xz"))
    if len(found) != 1:
        raise BuildError(row["name"], f"holds {len(found)} source archives, expected one", "choose another source package in kernel.json")
    found[0].rename(directory / "linux.tar.xz")
    shutil.rmtree(unpacked)
    return directory / "linux.tar.xz"

"""Kernels of our own: what rootfs-build/kernels/NAME says, and Debian's source package of it (the step `kernel-source`)."""
import dataclasses
import json
import pathlib
import re

from . import jsonc, kernel_config
from .errors import BuildError
from .step_cache import hash_of_file

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


def inputs(recipe):
    return {"suite": recipe.suite, "package": recipe.package}


def fetch(recipe, apt, directory, tools):
    """Leaves linux.tar.xz and source.json."""
    apt.update()
    version = apt.show(recipe.package).get("Version", "")
    deb = apt.download(recipe.package, version, directory)
    facts = {"package": recipe.package, "version": version, "deb_sha256": hash_of_file(deb)}
    unpacked = directory / "unpacked"
    tools.run(["dpkg-deb", "-x", deb, unpacked], f"package {recipe.package}", "run the build again with --refresh")
    found = sorted(unpacked.glob("usr/src/linux-source-*.tar.xz"))
    if len(found) != 1:
        raise BuildError(recipe.package, f"holds {len(found)} source archives, expected one", "choose another source package in kernel.json")
    found[0].rename(directory / "linux.tar.xz")
    (directory / "source.json").write_text(json.dumps(facts))
    tools.run(["rm", "-rf", unpacked, deb], f"package {recipe.package}")


def facts_in(directory):
    return json.loads((directory / "source.json").read_text())

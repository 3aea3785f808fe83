"""The step `kernel`: the suite's kernel package, unpacked (never installed), as ELF vmlinux and the modules for the initramfs."""
import json
import re
import shutil

from . import manifest, modules, vmlinux
from .errors import BuildError
from .step_cache import hash_of_file


def wanted(profile):
    """What the lock's group `kernel` is resolved for."""
    return {"suite": profile.suite, "package": profile.kernel["package"]}


def resolve(profile, apt):
    return apt.rows([real_package(apt, profile.kernel["package"])])


def inputs(profile, rows):
    return {"modules": profile.kernel["modules"], "lock": rows}


def build(profile, row, deb, directory, tools):
    package = row["name"]
    unpacked = directory / "unpacked"
    tools.run(["dpkg-deb", "-x", deb, unpacked], f"package {package}", "run the build again with --refresh")
    release, image = find_image(unpacked, package)
    extract_kernel(image, directory / "kernel", package)
    names = extract_modules(unpacked, release, profile.kernel["modules"], directory / "modules")
    shutil.copyfile(unpacked / f"boot/config-{release}", directory / manifest.FILES["config"])
    facts = {"version": release, "package": package, "package_version": row["version"], "modules": names, "build": "",
             "config_sha256": hash_of_file(directory / manifest.FILES["config"]), "deb_sha256": row["sha256"]}
    (directory / "kernel.json").write_text(json.dumps(facts))
    shutil.rmtree(unpacked)


def real_package(apt, name):
    """linux-image-cloud-amd64 holds nothing itself: it depends on the package of one version."""
    fields = apt.show(name)
    match = re.match(r"(linux-image-[0-9]\S+)(?: \(= (\S+)\))?", fields.get("Depends", ""))
    if not match:
        return name, fields["Version"]
    return match.group(1), match.group(2) or apt.show(match.group(1))["Version"]


def find_image(unpacked, package):
    images = sorted((unpacked / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        raise BuildError(package, f"holds {len(images)} kernels, expected one", "choose another kernel package in the profile")
    return images[0].name.removeprefix("vmlinuz-"), images[0]


def extract_kernel(image, out, package):
    try:
        out.write_bytes(vmlinux.extract(image.read_bytes()))
    except vmlinux.VmlinuxError as error:
        raise BuildError(f"kernel of {package}", str(error), "choose another kernel package in the profile") from error


def extract_modules(unpacked, release, wanted, out):
    """Writes the modules and returns their file names in load order."""
    directory = next((d for d in (unpacked / "usr/lib/modules" / release, unpacked / "lib/modules" / release) if d.is_dir()), None)
    if directory is None:
        raise BuildError(release, "the kernel package brings no modules", "choose another kernel package in the profile")
    try:
        order = modules.ModuleTree(directory).load_order(wanted)
    except modules.ModuleError as error:
        raise BuildError(f"module {error.module}", error.cause, "mend kernel.modules in the profile") from error
    out.mkdir()
    for name, data in order:
        (out / name).write_bytes(data)
    return [name for name, _ in order]

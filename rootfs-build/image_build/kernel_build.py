"""The step `kernel-build`: a kernel of our own out of Debian's source, configured by a fragment and checked against it, as ELF vmlinux."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from . import kernel_config, kernel_source, manifest, vmlinux
from .errors import BuildError
from .tools import check_tools, search_path

NEEDED = {"make": "make", "gcc": "gcc", "ld": "binutils", "objcopy": "binutils", "flex": "flex", "bison": "bison", "bc": "bc", "xz": "xz-utils", "tar": "tar",
          "dpkg-deb": "dpkg", "apt-get": "apt"}
# What the kernel would else take from the hour, the user and the machine. (Its Makefile unexports LC_ALL; LANG is what the compiler sees.)
FIXED = {"LANG": "C.UTF-8", "KBUILD_BUILD_USER": "vigil", "KBUILD_BUILD_HOST": "vigil", "KBUILD_BUILD_VERSION": "1"}
NICE = ["nice", "-n", "10"]


def check_programs():
    check_tools(NEEDED)
    compiled = subprocess.run(["gcc", "-E", "-include", "gelf.h", "-xc", "/dev/null"], capture_output=True, check=False, env={"PATH": search_path()})
    if compiled.returncode != 0:
        raise BuildError("programs", "missing packages: libelf-dev (the kernel's objtool)", "apt-get install libelf-dev")


def first_line(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True, env={"PATH": search_path(), "LC_ALL": "C.UTF-8"}).stdout.splitlines()[0].strip()


def inputs(recipe, row, epoch):
    return {"source": row, "fragment": recipe.fragment, "compiler": first_line("gcc", "--version"), "linker": first_line("ld", "--version"),
            "epoch": epoch, "fixed": FIXED}


def build(recipe, row, deb, epoch, directory, tools):
    """Leaves kernel, kernel.config, kernel.json and an empty modules/, as the step `kernel` does."""
    # In its own tree: all paths that the compiler sees are relative, so they are the same wherever the cache lies.
    with tempfile.TemporaryDirectory(prefix=".tree-", dir=directory.parent) as scratch:
        archive = kernel_source.unpack(row, deb, pathlib.Path(scratch), tools)
        tree = os.path.join(scratch, "linux")
        os.mkdir(tree)
        mend = "free some space (2 GiB), or run the build again with --refresh"
        tools.run(["tar", "-x", "--no-same-owner", "--strip-components=1", "-f", archive, "-C", tree], row["name"], mend)
        make(recipe, tree, epoch, tools)
        config = open(os.path.join(tree, ".config"), encoding="ascii").read()
        tools.run(["objcopy", "--strip-all", os.path.join(tree, "vmlinux"), directory / "kernel"], f"kernel {recipe.name}")
        release = open(os.path.join(tree, "include/config/kernel.release"), encoding="ascii").read().strip()
    (directory / manifest.FILES["config"]).write_text(config)
    finish(recipe, row, release, config, directory)


def make(recipe, tree, epoch, tools):
    fragment = os.path.join(tree, "vigil-fragment.config")
    with open(fragment, "w", encoding="ascii") as file:
        file.write(recipe.fragment)
    date = time.strftime("%a %b %e %H:%M:%S UTC %Y", time.gmtime(epoch))     # as `uname -v` shows it
    env = {**FIXED, "KBUILD_BUILD_TIMESTAMP": date, "KCONFIG_ALLCONFIG": fragment}
    item = f"kernel {recipe.name}"
    tools.run(["make", "-s", "allnoconfig"], item, cwd=tree, env=env)
    broken = list(kernel_config.broken_wishes(recipe.fragment, open(os.path.join(tree, ".config"), encoding="ascii").read()))
    if broken:
        raise BuildError(f"kernel {recipe.name}: fragment.config", "the finished configuration does not keep it: " + "; ".join(broken),
                         "add what these symbols depend on, or take them out of the fragment")
    jobs = len(os.sched_getaffinity(0))
    tools.run([*NICE, "make", "-s", f"-j{jobs}", "vmlinux"], item, "see the log: the first line with `error:` is the cause", cwd=tree, env=env)


def finish(recipe, row, release, config, directory):
    try:
        vmlinux.check((directory / "kernel").read_bytes())
    except vmlinux.VmlinuxError as error:
        raise BuildError(f"kernel {recipe.name}", str(error), "mend the fragment") from error
    (directory / "modules").mkdir()
    (directory / "kernel.json").write_text(json.dumps({
        "version": release, "package": row["name"], "package_version": row["version"], "deb_sha256": row["sha256"], "build": recipe.name,
        "config_sha256": hashlib.sha256(config.encode()).hexdigest(), "modules": []}))


def copy_out(directory, out):
    """The finished kernel beside other things, complete or not at all."""
    fresh = out.with_name(f".{out.name}.new-{os.getpid()}")
    shutil.copyfile(directory / "kernel", fresh)
    fresh.rename(out)

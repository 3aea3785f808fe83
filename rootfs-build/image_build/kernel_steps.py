"""A kernel of our own: resolved, then the steps `kernel-build` and `kernel-boot`. Shared by `rootfs-build/kernel` and the image pipeline.

Locks:  the cache's for the mirror and the packages, seconds; one of its own for the compiler, so that images can be built meanwhile.
"""
import contextlib

from . import agent as agents
from . import cpio, initrd, kernel_boot, kernel_build, kernel_config, kernel_source, manifest, vmlinux
from .locks import locked
from .package_store import file_name, said
from .step_cache import key_of

GROUP = "kernel-source"


def run(recipe, lock, resolver, steps, epoch, wait_s, agent):
    """(directory with kernel, config and kernel.json; the key of what went into it). The caller holds no lock of the cache. `agent`: the path of the one
    that the kernel must reach before anybody gets it; None where the caller does without."""
    with contextlib.ExitStack() as kept:
        with locked(resolver.cache / "lock", resolver.progress, wait_s):
            row, = resolver.rows(lock, GROUP, recipe.suite, kernel_source.wanted(recipe), lambda apt: kernel_source.resolve(recipe, apt))
            key = key_of(kernel_build.inputs(recipe, row, epoch), kernel_build, kernel_config, kernel_source, vmlinux)
            deb = None if steps.has("kernel-build", key) else kept.enter_context(resolver.packages([row], recipe.suite)) / file_name(row)

        def build(directory):
            kernel_build.check_programs()
            kernel_build.build(recipe, row, deb, epoch, directory, resolver.tools)
            manifest.keep_facts("kernel", directory)
            manifest.keep_facts("config", directory)
        what = f"kernel {recipe.name} from {said(row)}" + (" (10 to 20 minutes on two processors)" if deb else "")
        with locked(resolver.cache / "kernel.lock", resolver.progress, wait_s):
            directory = steps.get("kernel-build", key, what, build)
            try_out(recipe, directory, key, resolver, steps, epoch, agent)
            return directory, key


def try_out(recipe, directory, key, resolver, steps, epoch, agent):
    if why := kernel_boot.missing(agent) if agent else "--no-boot-test":
        resolver.progress.tell("step", f"kernel-boot: left out ({why}); this kernel has not been up here", step="kernel-boot", state="left out")
        return

    def build(scratch):
        kernel_boot.keep(kernel_boot.run(recipe.name, directory, agent, epoch, resolver.tools.log_path), scratch)
    boot_key = key_of({"kernel": key, "agent": agents.read(agent)["sha256"]}, kernel_boot, initrd, cpio)
    steps.get("kernel-boot", boot_key, f"kernel {recipe.name} up to the agent's first words", build)

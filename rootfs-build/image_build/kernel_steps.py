"""A kernel of our own: resolved, then the step `kernel-build`. Shared by `rootfs-build/kernel` and the image pipeline."""
from . import kernel_build, kernel_config, kernel_source, manifest, vmlinux
from .package_store import file_name, said
from .step_cache import key_of

GROUP = "kernel-source"


def run(recipe, lock, resolver, steps, epoch):
    """(directory with kernel, config and kernel.json; the key of what went into it)."""
    row, = resolver.rows(lock, GROUP, recipe.suite, kernel_source.wanted(recipe), lambda apt: kernel_source.resolve(recipe, apt))

    def build(directory):
        kernel_build.check_programs()
        with resolver.packages([row], recipe.suite) as debs:
            kernel_build.build(recipe, row, debs / file_name(row), epoch, directory, resolver.tools)
        manifest.keep_facts("kernel", directory)
        manifest.keep_facts("config", directory)
    key = key_of(kernel_build.inputs(recipe, row, epoch), kernel_build, kernel_config, kernel_source, vmlinux)
    what = f"kernel {recipe.name} from {said(row)} (10 to 20 minutes on two processors when it is not cached)"
    return steps.get("kernel-build", key, what, build), key

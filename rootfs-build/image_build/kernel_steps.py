"""The steps that end in a kernel of our own: `kernel-source` and `kernel-build`. Shared by `rootfs-build/kernel` and the image pipeline."""
from . import kernel_build, kernel_config, kernel_source, manifest, mirror, vmlinux
from .step_cache import key_of


def sources_of(suite, mirror_url):
    # Asked only when something is fetched: apt takes half a second to answer.
    chosen = mirror.Mirror(mirror_url, "") if mirror_url else mirror.of_this_machine()
    return chosen.sources(suite)


class KernelSteps:
    def __init__(self, cache, mirror_url, refresh, steps, tools, epoch):
        self.cache, self.mirror_url, self.refresh, self.steps, self.tools, self.epoch = cache, mirror_url, refresh, steps, tools, epoch

    def run(self, recipe):
        """(directory with kernel, config and kernel.json; the key of what went into it)."""
        source = self.source(recipe)
        facts = kernel_source.facts_in(source)

        def build(directory):
            kernel_build.check_programs()
            kernel_build.build(recipe, source, facts, self.epoch, directory, self.tools)
            manifest.keep_facts("kernel", directory)
        key = key_of(kernel_build.inputs(recipe, facts, self.epoch), kernel_build, kernel_config, vmlinux)
        what = f"kernel {recipe.name} from {facts['package']} {facts['version']} (10 to 20 minutes on two processors when it is not cached)"
        return self.steps.get("kernel-build", key, what, build), key

    def source(self, recipe):
        def fetch(directory):
            apt = mirror.PrivateApt(self.cache / "apt" / recipe.suite, sources_of(recipe.suite, self.mirror_url), self.tools)
            kernel_source.fetch(recipe, apt, directory, self.tools)
        key = key_of(kernel_source.inputs(recipe), kernel_source)
        return self.steps.get("kernel-source", key, f"{recipe.package} of {recipe.suite}", fetch, self.refresh)

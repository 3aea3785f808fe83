"""The steps of a build in their order: base, kernel, root, overlay, initrd, publish. Each but the last comes from the cache when its inputs
did not change."""
import dataclasses
import json
import os
import pathlib
import time

from . import agent, cpio, initrd, kernel, manifest, mirror, modules, packages, publish, root, vmlinux
from .locks import locked
from .step_cache import StepCache, key_of
from .tools import Tools, check_tools

# The date of everything inside the root, unless SOURCE_DATE_EPOCH says another: fixed, so that an image follows from its contents alone.
EPOCH = 1_735_689_600       # 2025-01-01


@dataclasses.dataclass(frozen=True)
class Request:
    out: pathlib.Path
    cache: pathlib.Path
    agent: pathlib.Path
    core_helper: pathlib.Path
    mirror: str             # empty: this machine's own
    refresh: bool
    wait_s: float


class Build:
    def __init__(self, profile, request, progress, log):
        self.profile, self.request, self.progress = profile, request, progress
        self.epoch = int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))
        self.tools = Tools(log, self.epoch)
        self.steps = StepCache(request.cache / "steps", progress)

    def run(self):
        """(digest, whether it is new)."""
        check_tools()
        facts = agent.read(self.request.agent)
        helper = agent.read(self.request.core_helper, "core-helper")
        agent.check_services(self.request.agent, self.profile.files / "etc/vigil/services.d")
        with locked(self.request.cache / "lock", self.progress, self.request.wait_s):
            base, base_key = self.base()
            kernel_directory, kernel_key = self.kernel()
            root_directory, identity = self.root(base, base_key, helper)
            parts = {"kernel": kernel_directory, "root": root_directory, "overlay": self.overlay(),
                     "initrd": self.initrd(kernel_directory, kernel_key, facts, identity)}
            return self.publish(parts, self.describe(parts, base, {"agent": facts, "core_helper": helper}, identity))

    def sources(self):
        # Asked only when something is fetched: apt takes half a second to answer.
        chosen = mirror.Mirror(self.request.mirror, "") if self.request.mirror else mirror.of_this_machine()
        return chosen.sources(self.profile.suite)

    def base(self):
        def build(directory):
            packages.build(self.profile, self.sources(), mirror.transport_options(), self.request.cache / "debs", directory, self.tools)
        key = key_of(packages.inputs(self.profile), packages)
        what = f"Debian {self.profile.suite}, {self.profile.variant} packages and {len(self.profile.packages)} more"
        return self.steps.get("base", key, what, build, self.request.refresh), key

    def kernel(self):
        def build(directory):
            apt = mirror.PrivateApt(self.request.cache / "apt" / self.profile.suite, self.sources(), self.tools)
            kernel.build(self.profile, apt, directory, self.tools)
            manifest.keep_facts("kernel", directory)
        key = key_of(kernel.inputs(self.profile), kernel, modules, vmlinux)
        return self.steps.get("kernel", key, f"{self.profile.kernel['package']} and its modules", build, self.request.refresh), key

    def root(self, base, base_key, helper):
        # A refreshed base has the same key but other packages; what it holds is what counts.
        contents = {"key": base_key, "packages": (base / "packages.json").read_text()}
        key = key_of(root.inputs(self.profile, contents, helper, self.epoch), root)
        identity = root.image_id(key)

        def build(directory):
            root.build(self.profile, base, self.request.core_helper, identity, self.epoch, directory, self.tools)
            manifest.keep_facts("root", directory)
        return self.steps.get("root", key, f"root.ext4 with {len(self.profile.services)} services", build), identity

    def overlay(self):
        def build(directory):
            root.build_overlay(self.profile, self.epoch, directory, self.tools)
            manifest.keep_facts("overlay", directory)
        return self.steps.get("overlay", key_of(root.overlay_inputs(self.profile, self.epoch), root), f"overlay.ext4, {self.profile.overlay_mib} MiB", build)

    def initrd(self, kernel_directory, kernel_key, agent_facts, identity):
        def build(directory):
            initrd.build(kernel_directory, self.request.agent, identity, self.epoch, directory, self.profile.init)
            manifest.keep_facts("initrd", directory)
        contents = {"key": kernel_key, "kernel": (kernel_directory / "kernel.json").read_text()}
        key = key_of(initrd.inputs(contents, agent_facts, identity, self.epoch, self.profile.init), initrd, cpio)
        return self.steps.get("initrd", key, f"vigil-guest {agent_facts['version']} and modules", build)

    def describe(self, parts, base, programs, identity):
        facts = {part: manifest.facts_of(part, directory) for part, directory in parts.items()}
        created = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
        return manifest.describe(self.profile, facts, json.loads((parts["kernel"] / "kernel.json").read_text()), programs, identity,
                                 json.loads((base / "packages.json").read_text()), created)

    def publish(self, parts, described):
        directory = self.request.out / self.profile.name
        files = {part: parts[part] / name for part, name in manifest.FILES.items()}
        with locked(self.request.out / f".{self.profile.name}.lock", self.progress, self.request.wait_s):
            before = publish.current_manifest(directory)
            if before and manifest.digest_of(before[1]) == before[0]:
                old = json.loads(before[1])
                if manifest.same_but_for_date(old, described) and publish.is_whole(directory / before[0], described):
                    self.progress.unchanged("publish", before[0][:12])
                    return before[0], False
            with self.progress.step("publish", str(directory)):
                return publish.publish(directory, files, described), True

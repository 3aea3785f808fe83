"""The steps of a build in their order: resolve, base, npm, kernel, tools, root, overlay, initrd, lint, boot-test, publish. Each but the last comes from the cache when its inputs
did not change."""
import dataclasses
import json
import os
import pathlib
import types

from . import (accounts, agent, boot_test, cpio, guest_tree, initrd, kernel, kernel_source, kernel_steps, local_archive, manifest, modules, npm_tree,
               package_store, packages, publish, root, service_files, settled, sizes, suite_tools, vmlinux)
from .lint import runner, subject, units, worker
from .errors import BuildError
from .lint import step as lint_step
from .lint.rules import memory_too_small
from .lock import Lock
from .locks import locked
from .resolver import Resolver
from .step_cache import StepCache, key_of
from .tools import Tools, check_tools

# The date of everything inside the root, unless SOURCE_DATE_EPOCH says another: fixed, so that an image follows from its contents alone.
EPOCH = 1_735_689_600       # 2025-01-01
# Beside the manifest, not in it: what a boot took differs each time, and the image must not.
BOOT_TEST = "boot-test.json"
LINT_NOTES = "notes.json"


def epoch_of_build():
    return int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))


@dataclasses.dataclass(frozen=True)
class Request:
    out: pathlib.Path
    cache: pathlib.Path
    agent: pathlib.Path
    core_helper: pathlib.Path
    kernels: pathlib.Path
    mirror: str             # empty: this machine's own
    refresh: bool
    lock: pathlib.Path | None   # None: the cache's own
    boot_test: bool
    wait_s: float


class Build:
    def __init__(self, profile, request, progress, log):
        self.profile, self.request, self.progress = profile, request, progress
        self.epoch = epoch_of_build()
        self.tools = Tools(log, self.epoch)
        self.steps = StepCache(request.cache / "steps", progress, profile.name)
        self.resolver = Resolver(request.cache, request.mirror, request.refresh, progress, self.tools)
        self.lock = Lock(request.lock) if request.lock else self.resolver.default_lock(profile.name)

    def run(self):
        """(digest, whether it is new)."""
        check_tools()
        facts = agent.read(self.request.agent)
        helper = agent.read(self.request.core_helper, "core-helper")
        with service_files.gathered(self.profile.service_directories) as services:
            agent.check_services(self.request.agent, services, self.profile.service_directories[-1])
        ours = self.our_kernel() if self.profile.built_kernel else None
        with locked(self.request.cache / "lock", self.progress, self.request.wait_s):
            base, base_key = self.base()
            kernel_directory, kernel_key = ours or self.kernel()
            e2fsprogs = self.suite_tools()
            npm, npm_key = self.npm(base)
            root_directory, identity = self.root(base, base_key, npm, npm_key, helper, e2fsprogs)
            parts = {"kernel": kernel_directory, "config": kernel_directory, "root": root_directory, "overlay": self.overlay(e2fsprogs),
                     "initrd": self.initrd(kernel_directory, kernel_key, facts, identity)}
            self.resolver.sweep()
            described = self.describe(parts, base, {"agent": facts, "core_helper": helper}, identity)
            self.lint(parts, described, e2fsprogs[0])
            return self.publish(parts, described, self.boot_test(parts, described))

    def base(self):
        rows = self.rows("root", packages.wanted(self.profile), lambda apt: apt.closure(packages.patterns(self.profile)))

        def build(directory):
            with self.resolver.packages(rows, self.profile.suite) as debs:
                packages.build(self.profile, rows, debs, directory, self.tools)
        key = key_of(packages.inputs(self.profile, rows), packages, local_archive)
        what = f"Debian {self.profile.suite}, {self.profile.variant} packages and {len(self.profile.packages)} more"
        return self.steps.get("base", key, what, build, self.request.refresh), key

    def npm(self, base):
        """(directory with npm.tar, key), or (None, "") where the profile has no npm packages."""
        specs = self.profile.npm
        if not specs:
            return None, ""
        rows = self.resolver.npm_rows(self.lock, specs)
        node = next((row["version"] for row in json.loads((base / "packages.json").read_text()) if row["name"] == "nodejs"), "")

        def build(directory):
            notes = npm_tree.write(specs, rows, self.resolver.npm_packages(rows), node, self.epoch, directory / "npm.tar")
            (directory / "notes.json").write_text(json.dumps(notes))
        key = key_of({"wanted": sorted(specs), "lock": rows, "node": node, "epoch": self.epoch}, npm_tree)
        directory = self.steps.get("npm", key, f"{len(rows)} npm packages", build, self.request.refresh)
        for note in json.loads((directory / "notes.json").read_text()):
            self.progress.tell("note", f"npm: {note}", note=note)
        return directory, key

    def our_kernel(self):
        recipe = kernel_source.load(self.request.kernels, self.profile.built_kernel)
        # A lock file that was named pins the kernel, too; else all images share one compiled kernel.
        lock = self.lock if self.request.lock else self.resolver.default_lock(f"kernel-{recipe.name}")
        return kernel_steps.run(recipe, lock, self.resolver, self.steps, self.epoch, self.request.wait_s,
                                self.request.agent if self.request.boot_test else None)

    def kernel(self):
        row, = self.rows("kernel", kernel.wanted(self.profile), lambda apt: kernel.resolve(self.profile, apt))

        def build(directory):
            with self.resolver.packages([row], self.profile.suite) as debs:
                kernel.build(self.profile, row, debs / package_store.file_name(row), directory, self.tools)
            manifest.keep_facts("kernel", directory)
            manifest.keep_facts("config", directory)
        key = key_of(kernel.inputs(self.profile, row), kernel, modules, vmlinux)
        return self.steps.get("kernel", key, f"{self.profile.kernel['package']} and its modules", build, self.request.refresh), key

    def suite_tools(self):
        rows = self.rows("tools", {"suite": self.profile.suite, "packages": suite_tools.PACKAGES}, lambda apt: apt.closure(suite_tools.PACKAGES))

        def build(directory):
            with self.resolver.packages(rows, self.profile.suite) as debs:
                suite_tools.unpack(debs, directory, self.tools)
        key = key_of({"lock": rows}, suite_tools)
        return suite_tools.SuiteTools(self.steps.get("tools", key, f"e2fsprogs of {self.profile.suite}", build, self.request.refresh)), key

    def rows(self, group, wanted, ask):
        return self.resolver.rows(self.lock, group, self.profile.suite, wanted, ask)

    def root(self, base, base_key, npm, npm_key, helper, e2fsprogs):
        programs, programs_key = e2fsprogs
        key = key_of(root.inputs(self.profile, base_key, npm_key, helper, programs_key, self.epoch), root, accounts, guest_tree, service_files, settled, sizes)
        identity = root.image_id(key)

        def build(directory):
            root.build(self.profile, base, npm, self.request.core_helper, identity, self.epoch, directory, self.tools, programs)
            manifest.keep_facts("root", directory)
        directory = self.steps.get("root", key, f"root.ext4 with {len(self.profile.services)} services", build)
        found = json.loads((directory / root.PARTS).read_text())
        self.progress.tell("parts", sizes.told(found["parts"], found["bytes"]), parts=found["parts"], bytes=found["bytes"])
        if found["replaced"]:
            self.progress.tell("replaced", "root: the profile's files replace those of packages: " + ", ".join(found["replaced"]), paths=found["replaced"])
        return directory, identity

    def overlay(self, e2fsprogs):
        programs, programs_key = e2fsprogs

        def build(directory):
            root.build_overlay(self.profile, self.epoch, directory, self.tools, programs)
            manifest.keep_facts("overlay", directory)
        key = key_of(root.overlay_inputs(self.profile, programs_key, self.epoch), root)
        return self.steps.get("overlay", key, f"overlay.ext4, {self.profile.overlay_mib} MiB", build)

    def initrd(self, kernel_directory, kernel_key, agent_facts, identity):
        def build(directory):
            initrd.build(kernel_directory, self.request.agent, identity, self.epoch, directory, self.profile.init)
            manifest.keep_facts("initrd", directory)
        contents = {"key": kernel_key, "kernel": (kernel_directory / "kernel.json").read_text()}
        key = key_of(initrd.inputs(contents, agent_facts, identity, self.epoch, self.profile.init), initrd, cpio)
        return self.steps.get("initrd", key, f"vigil-guest {agent_facts['version']} and modules", build)

    def lint(self, parts, described, programs):
        """Kept when it passed: an image that did not change is not looked at again."""
        def build(directory):
            files = {part: parts[part] / manifest.FILES[part] for part in ("root", "initrd", "config")}
            found, notes = lint_step.looked_over(files["root"], files["initrd"], files["config"], described, self.declared_programs(), self.profile.lint_allow,
                                                 root.as_owner_of_files(), directory, self.tools, programs.all(), described["agent"])
            lint_step.refuse(found)
            (directory / LINT_NOTES).write_text(json.dumps(notes))
        seen = {**{part: described[part]["sha256"] for part in ("root", "initrd", "config")}, "programs": self.declared_programs(),
                "allow": self.profile.lint_allow, "memory": self.profile.min_memory_mib, "agent": described["agent"]}
        key = key_of(seen, lint_step, runner, subject, worker, units, *runner.all_rules().values())
        directory = self.steps.get("lint", key, f"{len(runner.all_rules())} rules", build)
        for note in json.loads((directory / LINT_NOTES).read_text()):
            self.progress.tell("note", f"lint: {runner.noted(note)}", note=note)

    def declared_programs(self):
        """What must run in the image, and names every program of a service; None where nobody declared any."""
        return self.profile.programs

    def boot_test(self, parts, described):
        """The step's directory with boot-test.json, or None where the caller does without."""
        if not self.request.boot_test:
            self.progress.tell("step", "boot-test: left out (--no-boot-test); this image has never been up", step="boot-test", state="left out")
            return None

        def build(directory):
            if missing := boot_test.missing_programs(programs):
                raise BuildError(", ".join(missing), f"not in {programs}, beside the agent", "build them with ./dev build, or give --no-boot-test")
            tried = boot_test.run(described, {part: parts[part] / name for part, name in manifest.FILES.items()}, programs, self.tools.log_path, self.epoch)
            lint_step.refuse([{"rule": "memory_too_small", "item": item, "cause": cause} for item, cause in
                              memory_too_small.faults(types.SimpleNamespace(manifest={**described, "boot_test": tried}))])
            (directory / BOOT_TEST).write_text(json.dumps(tried, indent=1) + "\n")
            self.progress.tell("tried", boot_test.told(tried), **tried)
        programs = self.request.agent.parent
        key = key_of({**described, "created_unix": 0, "packages": []}, boot_test, memory_too_small)
        what = f"a VM with {described['min_memory_mib']} MiB and {len(described['services'])} services"
        return self.steps.get("boot-test", key, what, build, self.request.refresh)

    def describe(self, parts, base, programs, identity):
        facts = {part: manifest.facts_of(part, directory) for part, directory in parts.items()}
        # Not the hour of the build: the same inputs are the same image, tomorrow too.
        created = int(os.environ.get("SOURCE_DATE_EPOCH", self.lock.resolved_unix))
        return manifest.describe(self.profile, facts, json.loads((parts["kernel"] / "kernel.json").read_text()), programs, identity,
                                 json.loads((base / "packages.json").read_text()), self.lock.npm_rows() if self.profile.npm else [], created)

    def publish(self, parts, described, tried):
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
                digest = publish.publish(directory, files, described, tried / BOOT_TEST if tried else None)
                self.progress.published = f"{self.profile.name}@{digest[:12]}"
                return digest, True

"""Kernels of our own: what their folders may say, and that a configuration which does not keep its fragment is refused. Nothing is compiled."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import made
from image_build import kernel_build, kernel_config, kernel_source, places, profile, vmlinux
from image_build.errors import BuildError

FRAGMENT = "# For services.\nCONFIG_PSI=y\n# CONFIG_MODULES is not set\nCONFIG_LSM=\"landlock,yama\"\n"


class AFragment(unittest.TestCase):
    def broken(self, finished):
        return list(kernel_config.broken_wishes(FRAGMENT, finished))

    def test_is_kept_by_a_configuration_that_has_every_value(self):
        self.assertEqual(self.broken(FRAGMENT + "CONFIG_MORE=y\n"), [])
        self.assertEqual(self.broken('CONFIG_PSI=y\nCONFIG_LSM="landlock,yama"\n'), [], "a symbol that is not there is not set")

    def test_names_each_symbol_that_came_out_otherwise(self):
        self.assertEqual(self.broken('CONFIG_MODULES=y\nCONFIG_LSM=""\n'), [
            "CONFIG_PSI=y: does not exist or lacks what it depends on", "CONFIG_MODULES=n: came out as y", 'CONFIG_LSM="landlock,yama": came out as ""'])

    def test_holds_settings_and_comments_only_and_each_symbol_once(self):
        self.assertEqual(list(kernel_config.faults_of_fragment(FRAGMENT)), [])
        self.assertEqual(list(kernel_config.faults_of_fragment("PSI=y\nCONFIG_A=y\n# CONFIG_A is not set\n")),
                         ["line 1: neither CONFIG_NAME=VALUE nor a comment: PSI=y", "line 3: CONFIG_A is set in line 2 already"])


class AFolder(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-kernels-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def write(self, text, fragment=FRAGMENT):
        (self.directory / "k").mkdir(exist_ok=True)
        (self.directory / "k/kernel.json").write_text(text)
        (self.directory / "k/fragment.config").write_text(fragment)

    def refused(self, words, name="k"):
        with self.assertRaisesRegex(BuildError, words):
            kernel_source.load(self.directory, name)

    def test_that_is_not_there(self):
        self.write("{}")
        self.refused("no such kernel", "other")
        self.refused("no such kernel", "../k")

    def test_says_suite_and_package(self):
        self.write('{"format": 1, "name": "k", "suite": "trixie", "package": "linux-source-6.12"}')
        self.assertEqual(kernel_source.load(self.directory, "k"), kernel_source.Recipe("k", "trixie", "linux-source-6.12", FRAGMENT))

    def test_all_its_faults_are_told_at_once(self):
        self.write('{"format": 2, "name": "l", "suite": "trixie", "package": "linux; rm"}', "PSI\n")
        self.refused('"format" must be 1; "name" must be .*; "package" must be .*; fragment.config: line 1')
        self.write('{"format": 1}')
        self.refused("its keys must be format, name, package, suite")
        self.write("{")
        self.refused("not JSON")

    def test_ours_are_right(self):
        names = [p.parent.name for p in places.KERNELS.glob("*/kernel.json")]
        self.assertIn("small", names)
        for name in names:
            kernel_source.load(places.KERNELS, name)


class TheSmallKernel(unittest.TestCase):
    """What the product depends on must not be dropped from the fragment unseen."""

    def test_has_what_the_agent_and_its_guests_need(self):
        values = kernel_config.parse(kernel_source.load(places.KERNELS, "small").fragment)
        for symbol in ("PVH", "VIRTIO_MMIO", "VIRTIO_PCI", "VIRTIO_BLK", "VIRTIO_CONSOLE", "VIRTIO_VSOCKETS", "EXT4_FS", "OVERLAY_FS", "EROFS_FS", "PSI", "MEMCG",
                       "CGROUP_PIDS", "CFS_BANDWIDTH", "BLK_CGROUP", "EVENT_TRACING", "VMGENID", "PVPANIC", "ACPI", "ACPI_BUTTON", "HOTPLUG_CPU",
                       "MEMORY_HOTPLUG", "SECCOMP_FILTER", "USER_NS", "PID_NS", "NET_NS", "COREDUMP", "PRINTK", "SERIAL_8250_CONSOLE", "DETECT_HUNG_TASK",
                       "SOFTLOCKUP_DETECTOR", "HARDLOCKUP_DETECTOR", "CPU_MITIGATIONS"):
            self.assertEqual(values.get(f"CONFIG_{symbol}"), "y", symbol)
        self.assertEqual(values["CONFIG_MODULES"], "n")


class TheChoice(unittest.TestCase):
    STOCK = {"package": "linux-image-cloud-amd64", "modules": ["ext4"]}

    def choose(self, kernel, chosen):
        return profile.with_kernel({"kernel": kernel}, chosen)["kernel"].get("build", "")

    def test_is_the_profiles_unless_the_command_says_another(self):
        self.assertEqual(self.choose(self.STOCK, ""), "")
        self.assertEqual(self.choose(self.STOCK, "small"), "small")
        self.assertEqual(self.choose({"build": "small"}, ""), "small")
        self.assertEqual(self.choose({**self.STOCK, "build": "small"}, "stock"), "")
        with self.assertRaisesRegex(BuildError, "names no package"):
            self.choose({"build": "small"}, "stock")

    def test_shapes_of_a_profiles_kernel(self):
        for right in (self.STOCK, {"build": "small"}, {**self.STOCK, "build": "small"}):
            self.assertTrue(profile.kernel(right), right)
        for wrong in ({}, {"package": "x-y"}, {"build": "../small"}, {"build": 1}, {"build": "small", "modules": []}, "small"):
            self.assertFalse(profile.kernel(wrong), wrong)


class WhatWasBuilt(unittest.TestCase):
    def test_must_be_a_kernel_that_a_vmm_can_enter(self):
        vmlinux.check(made.elf(notes=made.PVH))
        for data, words in ((b"", "not an ELF"), (made.elf(), "PVH"), (made.elf(notes=made.PVH, machine=183), "x86-64")):
            with self.assertRaisesRegex(vmlinux.VmlinuxError, words):
                vmlinux.check(data)

    def test_another_compiler_fragment_or_source_is_another_kernel(self):
        recipe = kernel_source.Recipe("k", "trixie", "linux-source-6.12", FRAGMENT)
        one = kernel_build.inputs(recipe, {"version": "1"}, 0)
        self.assertNotEqual(one, kernel_build.inputs(recipe, {"version": "2"}, 0))
        self.assertNotEqual(one, kernel_build.inputs(kernel_source.Recipe("k", "trixie", "linux-source-6.12", ""), {"version": "1"}, 0))
        self.assertTrue(one["compiler"] and one["linker"])


class TheCommand(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([sys.executable, places.REPOSITORY / "rootfs-build/kernel", *arguments], capture_output=True, text=True, check=False)

    def test_usage(self):
        for arguments in ((), ("make",), ("build", "--colour")):
            self.assertEqual(self.run_it(*arguments).returncode, 2)

    def test_a_kernel_that_is_not_there(self):
        with tempfile.TemporaryDirectory() as cache:
            done = self.run_it("build", "tiny", "--cache", cache)
        self.assertEqual(done.returncode, 1)
        self.assertIn("FAILED in step kernel: kernel tiny: there is no such kernel to build", done.stdout)


if __name__ == "__main__":
    unittest.main()

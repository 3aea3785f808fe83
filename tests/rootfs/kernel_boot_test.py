"""A kernel of our own must reach the agent: the judgement, over programs that stand for the VMM. A real kernel: `rootfs-build/kernel build`."""
import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

import made     # noqa: F401  (sets the path of image_build)
from image_build import kernel_boot
from image_build.errors import BuildError


class AKernel(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-kernel-boot-test-"))
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "kernel.json").write_text('{"modules": []}')
        for name in ("kernel", "agent", "log"):
            (self.directory / name).write_bytes(b"")

    def boot(self, script, reached_s=60):
        vmm = self.directory / "vmm"
        vmm.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec echo "VMM 1"\n{script}\n')
        vmm.chmod(0o755)
        with mock.patch.object(kernel_boot.vmm, "PROGRAM", str(vmm)):
            return kernel_boot.run("k", self.directory, self.directory / "agent", 0, self.directory / "log", reached_s)

    def test_that_reaches_the_agent_is_right_and_the_vm_is_ended(self):
        facts = self.boot('echo $$ >"$(dirname "$0")/pid"; echo "Linux version 6"; echo "@V1 72e91b36 1 1/1 x@"; exec sleep 600')
        self.assertIn("reached_s", facts)
        self.assertFalse(pathlib.Path(f"/proc/{(self.directory / 'pid').read_text().strip()}").exists())
        self.assertIn("Linux version 6", (self.directory / "log").read_text())

    def test_that_panics_or_is_silent_is_refused_with_its_last_words(self):
        with self.assertRaisesRegex(BuildError, "kernel k: does not reach the agent within 60 s; its last words: Kernel panic"):
            self.boot('echo "Kernel panic - not syncing"')
        with self.assertRaisesRegex(BuildError, "within 0.5 s; its last words: none"):
            self.boot("exec sleep 600", 0.5)

    def test_is_not_tried_where_that_cannot_be(self):
        self.assertEqual(kernel_boot.missing(self.directory / "gone"), "no agent is built")
        with mock.patch.object(kernel_boot.vmm, "PROGRAM", "no-such-vmm"):
            self.assertEqual(kernel_boot.missing(self.directory / "agent"), "no-such-vmm is not installed")


if __name__ == "__main__":
    unittest.main()

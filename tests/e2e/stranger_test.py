#!/usr/bin/env python3
"""Only the host opens streams: who dials their port from inside the VM is hung up without a word, and the host is told."""
import pathlib
import subprocess
import unittest

from harness.case import VmCase
from harness.image import kernel_module, part_of, read_cpio, variant
from image_build import cpio

HERE = pathlib.Path(__file__).resolve().parent
CALLS = 500


class Stranger(VmCase):
    def image_with_loopback(self):
        """No image of ours has this module."""
        try:
            module = kernel_module(self.daemon, "vsock_loopback")
        except LookupError as absent:
            self.skipTest(str(absent))
        members = read_cpio(part_of(self.daemon, "initrd", "minimal").read_bytes())
        members["lib/modules/vsock_loopback.ko"] = (0o100644, module)
        mode, listed = members["etc/vigil/modules"]
        members["etc/vigil/modules"] = (mode, listed + b"vsock_loopback.ko\n")
        initrd = self.daemon.base / "initrd-loopback"
        initrd.write_bytes(cpio.archive(members, 0))
        variant(self.daemon, "loopback", image="minimal", parts={"initrd": initrd})
        return "loopback"

    def test_a_process_of_the_vm_gets_no_stream_and_is_told_of(self):
        vm = self.up("strange", image=self.image_with_loopback())
        self.daemon.wait_state(vm, "ready")
        program = self.daemon.base / "stranger"
        subprocess.run(["cc", "-O1", "-static", "-o", program, HERE / "stranger.c"], check=True)
        program.chmod(0o755)
        self.daemon.vigil("cp", str(program), f"{vm['id']}:/tmp/stranger", check=0)
        out = self.daemon.vigil("exec", vm["id"], "--", "/bin/sh", "-c", f"chmod 755 /tmp/stranger; exec /tmp/stranger {CALLS}", check=0)[1]
        self.assertEqual(out.split(), ["closed"] * CALLS)
        told = self.daemon.wait_for(vm, lambda e: e["type"] == "health" and not e["body"]["report"].get("partial")
                                    and any(c["code"] == "link.refused" for c in e["body"]["causes"]))
        cause = next(c for c in told["body"]["causes"] if c["code"] == "link.refused")
        self.assertIn("CID 1", cause["fields"]["reason"])
        self.assertEqual(sum(c["code"] == "link.refused" for c in told["body"]["causes"]), 1, "told once, however often it dials")
        self.assertEqual(self.daemon.vigil("exec", vm["id"], "--", "/bin/true")[0], 0, "the host still opens streams")


if __name__ == "__main__":
    unittest.main()

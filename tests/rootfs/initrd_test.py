"""The cpio writer, read back by cpio(1), and the initramfs made with it."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import made  # noqa: F401  (puts rootfs-build on the path)
from image_build import cpio, initrd

EPOCH = 1_700_000_000


def unpack(data, directory):
    subprocess.run(["cpio", "--extract", "--make-directories", "--preserve-modification-time", "--quiet"], input=data, cwd=directory, check=True)


class WritesCpio(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-cpio-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def test_one_entry_byte_for_byte(self):
        data = cpio.archive({"a": (0o100644, b"xyz")}, 255)
        self.assertEqual(data[:116], b"070701" b"00000001" b"000081A4" b"00000000" b"00000000" b"00000001" b"000000FF" b"00000003"
                         b"00000000" b"00000000" b"00000000" b"00000000" b"00000002" b"00000000" b"a\0" b"xyz\0")
        self.assertIn(b"TRAILER!!!\0", data)
        self.assertEqual(len(data) % 512, 0)

    @unittest.skipUnless(shutil.which("cpio"), "no cpio here")
    def test_cpio_reads_back_what_was_written(self):
        unpack(cpio.archive({"init": (0o100755, b"\x7fELF"), "etc/deep/name": (0o100644, b""), "dev": (0o040755, b"")}, EPOCH), self.directory)
        self.assertEqual((self.directory / "init").read_bytes(), b"\x7fELF")
        self.assertEqual((self.directory / "init").stat().st_mode & 0o7777, 0o755)
        self.assertEqual((self.directory / "init").stat().st_mtime, EPOCH)
        self.assertEqual((self.directory / "etc/deep/name").read_bytes(), b"")
        self.assertTrue((self.directory / "dev").is_dir())

    def test_the_order_in_which_members_were_given_does_not_matter(self):
        members = {"b": (0o100644, b"2"), "a/c": (0o100644, b"1")}
        self.assertEqual(cpio.archive(members, 1), cpio.archive(dict(reversed(members.items())), 1))

    def test_parents_come_before_what_they_hold(self):
        data = cpio.archive({"lib/modules/x.ko": (0o100644, b"m")}, 1)
        self.assertLess(data.index(b"lib\0"), data.index(b"lib/modules\0"))
        self.assertLess(data.index(b"lib/modules\0"), data.index(b"lib/modules/x.ko\0"))


class MakesTheInitramfs(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-initrd-"))
        self.addCleanup(shutil.rmtree, self.directory)

    @unittest.skipUnless(shutil.which("cpio"), "no cpio here")
    def test_holds_agent_modules_in_order_and_the_image_id(self):
        kernel, out, tree = (self.directory / n for n in ("kernel", "out", "tree"))
        for directory in (kernel / "modules", out, tree):
            directory.mkdir(parents=True)
        (kernel / "kernel.json").write_text(json.dumps({"modules": ["vsock.ko", "a_after.ko"]}))
        for name in ("vsock.ko", "a_after.ko"):
            (kernel / "modules" / name).write_text(name)
        agent = self.directory / "vigil-guest"
        agent.write_bytes(b"agent")
        initrd.build(kernel, agent, "abc123", EPOCH, out)
        unpack((out / "initrd").read_bytes(), tree)
        self.assertEqual((tree / "init").read_bytes(), b"agent")
        self.assertEqual((tree / "etc/vigil/modules").read_text(), "vsock.ko\na_after.ko\n")
        self.assertEqual((tree / "etc/vigil/image-id").read_text(), "abc123\n")
        self.assertEqual((tree / "lib/modules/vsock.ko").read_text(), "vsock.ko")
        self.assertTrue(all((tree / name).is_dir() for name in ("dev", "proc", "sys", "run", "newroot")))


if __name__ == "__main__":
    unittest.main()

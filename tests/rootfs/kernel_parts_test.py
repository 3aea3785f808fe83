"""vmlinux out of a bzImage, and the load order of modules."""
import bz2
import gzip
import lzma
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import made
from image_build import modules, vmlinux


def sized(packed, plain):
    return packed + struct.pack("<I", len(plain))


class ExtractsTheKernel(unittest.TestCase):
    def setUp(self):
        self.kernel = made.elf(notes=made.PVH)

    def test_out_of_each_compression_of_the_standard_library(self):
        packed = {"gzip": gzip.compress(self.kernel), "xz": sized(lzma.compress(self.kernel), self.kernel),
                  "bzip2": sized(bz2.compress(self.kernel), self.kernel)}
        for name, payload in packed.items():
            with self.subTest(name):
                self.assertEqual(vmlinux.extract(made.bz_image(payload)), self.kernel)

    @unittest.skipUnless(shutil.which("zstd"), "no zstd here")
    def test_out_of_zstd(self):
        packed = subprocess.run(["zstd", "-c"], input=self.kernel, capture_output=True, check=True).stdout
        self.assertEqual(vmlinux.extract(made.bz_image(sized(packed, self.kernel))), self.kernel)

    def test_a_setup_size_of_zero_means_four_sectors(self):
        image = bytearray(made.bz_image(gzip.compress(self.kernel), sectors=4))
        image[0x1F1] = 0
        self.assertEqual(vmlinux.extract(bytes(image)), self.kernel)

    def assert_refused(self, image, words):
        with self.assertRaisesRegex(vmlinux.VmlinuxError, words):
            vmlinux.extract(image)

    def test_refuses_what_is_no_kernel_and_says_why(self):
        good = made.bz_image(gzip.compress(self.kernel))
        self.assert_refused(b"", "no setup header")
        self.assert_refused(good[:600], "past the end")
        self.assert_refused(made.bz_image(b"LZO!" * 8), "not known here")
        self.assert_refused(made.bz_image(gzip.compress(self.kernel)[:40]), "damaged")
        self.assert_refused(made.bz_image(sized(lzma.compress(self.kernel)[:60], b"")), "damaged")
        self.assert_refused(made.bz_image(gzip.compress(b"text")), "not an ELF")
        self.assert_refused(made.bz_image(gzip.compress(made.elf(notes=made.PVH, machine=183))), "x86-64")
        self.assert_refused(made.bz_image(gzip.compress(made.elf())), "PVH")
        self.assert_refused(made.bz_image(gzip.compress(self.kernel[:100])), "truncated")


class OrdersModules(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vigil-modules-"))
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10.ko\n")

    def add(self, name, data, packed=True):
        path = self.directory / "kernel/drivers" / (f"{name}.ko.xz" if packed else f"{name}.ko")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(data) if packed else data)

    def order(self, *wanted):
        return [name for name, _ in modules.ModuleTree(self.directory).load_order(wanted)]

    def test_dependencies_come_first_and_once(self):
        self.add("vsock", made.module())
        self.add("transport_common", made.module("vsock"))
        self.add("transport", made.module("transport_common,vsock"))
        self.add("block", made.module(), packed=False)
        self.assertEqual(self.order("transport", "block", "vsock"), ["vsock.ko", "transport_common.ko", "transport.ko", "block.ko"])

    def test_contents_are_decompressed(self):
        self.add("vsock", made.module())
        self.assertEqual(modules.ModuleTree(self.directory).load_order(["vsock"]), [("vsock.ko", made.module())])

    def test_built_in_modules_are_passed_over_and_dashes_equal_underscores(self):
        self.add("pvpanic-mmio", made.module("crc_t10,pvpanic"))
        self.add("pvpanic", made.module())
        self.assertEqual(self.order("ext4", "pvpanic_mmio"), ["pvpanic.ko", "pvpanic-mmio.ko"])

    def test_soft_dependencies_that_come_before_are_taken(self):
        self.add("fs", made.module(softdep="pre: checksum other-sum post: later"))
        self.add("checksum", made.module())
        self.add("other-sum", made.module())
        self.assertEqual(self.order("fs"), ["checksum.ko", "other-sum.ko", "fs.ko"])

    def test_signatures_are_left_out(self):
        signature = b"s" * 700
        signed = made.module() + signature + struct.pack(">8xI", len(signature)) + b"~Module signature appended~\n"
        self.add("vsock", signed)
        self.assertEqual(modules.ModuleTree(self.directory).load_order(["vsock"]), [("vsock.ko", made.module())])

    def test_a_signature_longer_than_the_module_is_not_believed(self):
        torn = made.module() + struct.pack(">8xI", 1 << 31) + b"~Module signature appended~\n"
        self.assertEqual(modules.without_signature(torn), torn)

    def assert_refused(self, wanted, words):
        with self.assertRaisesRegex(modules.ModuleError, words):
            self.order(wanted)

    def test_refuses_and_names_the_module(self):
        self.add("a", made.module("b"))
        self.add("b", made.module("a"))
        self.add("lonely", made.module("gone"))
        self.add("torn", made.module()[:80])
        (self.directory / "kernel/drivers/bad.ko.xz").write_bytes(b"not xz")
        self.assert_refused("a", "a: depends on itself")
        self.assert_refused("lonely", r"gone: the kernel has no such module \(needed by lonely\)")
        self.assert_refused("nothing", "nothing: the kernel has no such module")
        self.assert_refused("torn", "torn: damaged")
        self.assert_refused("bad", "bad: damaged")


if __name__ == "__main__":
    unittest.main()

"""The uncompressed ELF kernel inside a bzImage: what Firecracker needs, and what makes QEMU start seconds earlier.

Source: Documentation/arch/x86/boot.rst (setup header: setup_sects 0x1f1, "HdrS" 0x202, payload_offset 0x248, payload_length 0x24c).
"""
import bz2
import gzip
import lzma
import struct
import subprocess
import zlib

from .elf import EM_X86_64, Elf, ElfError
from .tools import search_path

XEN_PHYS32_ENTRY = 18       # the PVH note: where a VMM enters a kernel given as ELF


class VmlinuxError(ValueError):
    pass


def payload_of(image):
    if len(image) < 0x250 or image[0x202:0x206] != b"HdrS":
        raise VmlinuxError("not a bzImage: no setup header")
    sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (sectors + 1) * 512 + offset
    if length < 8 or begin + length > len(image):
        raise VmlinuxError("the setup header points past the end of the file")
    return image[begin:begin + length]


def unzstd(payload):
    done = subprocess.run(["zstd", "-dc"], input=payload, capture_output=True, check=False, env={"PATH": search_path()})
    if done.returncode != 0:
        raise VmlinuxError(f"zstd: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


# Magic -> decompressor. The kernel's build appends the plain size, 4 bytes, to every format but gzip, which has it already.
DECOMPRESSORS = {
    b"\x1f\x8b": gzip.decompress,
    b"\x28\xb5\x2f\xfd": lambda p: unzstd(p[:-4]),
    b"\xfd7zXZ": lambda p: lzma.decompress(p[:-4]),
    b"BZh": lambda p: bz2.decompress(p[:-4]),
}


def decompress(payload):
    for magic, run in DECOMPRESSORS.items():
        if payload.startswith(magic):
            try:
                return run(payload)
            except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise VmlinuxError(f"the compressed kernel is damaged: {error}") from error
    raise VmlinuxError(f"a compression that is not known here (begins with {payload[:6].hex()})")


def check(kernel):
    """ELF, for x86-64 and with the PVH note."""
    try:
        elf = Elf(kernel)
        if elf.machine != EM_X86_64:
            raise VmlinuxError("the kernel inside is not for x86-64")
        if not any(owner == "Xen" and kind == XEN_PHYS32_ENTRY for owner, kind, _ in elf.notes()):
            raise VmlinuxError("the kernel has no PVH entry (CONFIG_PVH)")
    except ElfError as error:
        raise VmlinuxError(f"what is inside is not an ELF kernel: {error}") from error


def extract(image):
    """bzImage -> ELF vmlinux, checked."""
    kernel = decompress(payload_of(image))
    check(kernel)
    return kernel

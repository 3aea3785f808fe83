"""Small files of the formats that the builder reads, made here."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "rootfs-build"))

EM_X86_64, ET_EXEC, PT_LOAD, PT_INTERP, PT_NOTE = 62, 2, 1, 3, 4


def note(owner, kind, text):
    name = owner.encode() + b"\0"
    pad = lambda b: b + b"\0" * (-len(b) % 4)   # noqa: E731
    return struct.pack("<III", len(name), len(text), kind) + pad(name) + pad(text)


def elf(notes=b"", sections=None, machine=EM_X86_64, interpreter=False):
    """An ELF file with a note segment and the given sections {name: bytes}."""
    segments = [(PT_LOAD, b"\x90" * 16), (PT_NOTE, notes)] + ([(PT_INTERP, b"/lib/ld.so\0")] if interpreter else [])
    body, headers = b"", b""
    begin = 64 + 56 * len(segments)
    for kind, data in segments:
        headers += struct.pack("<IIQQQQQQ", kind, 4, begin + len(body), 0, 0, len(data), len(data), 4)
        body += data
    names, table = b"\0", struct.pack("<IIQQQQIIQQ", *[0] * 10)
    for name, data in {**(sections or {}), ".shstrtab": None}.items():
        at = len(names)
        names += name.encode() + b"\0"
        data = names if data is None else data
        table += struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, begin + len(body), len(data), 0, 0, 1, 0)
        body += data
    count = len(sections or {}) + 2
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", ET_EXEC, machine, 1, 0, 64, begin + len(body), 0, 64, 56, len(segments), 64, count, count - 1)
    return head + headers + body + table


PVH = note("Xen", 18, struct.pack("<Q", 0x1000000))


def bz_image(payload, sectors=2):
    image = bytearray((sectors + 1) * 512)
    image[0x1F1] = sectors
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 16, len(payload))
    return bytes(image) + b"\0" * 16 + payload + b"the rest of the kernel image"


def module(depends="", softdep=""):
    info = f"license=GPL\0depends={depends}\0" + (f"softdep={softdep}\0" if softdep else "")
    return elf(sections={".modinfo": info.encode()})

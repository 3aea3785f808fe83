"""Writes a cpio archive in the "newc" format, which the kernel unpacks as initramfs. Same members, same bytes.

Source: Documentation/driver-api/early-userspace/buffer-format.rst.
"""
import stat


class CpioError(ValueError):
    pass


def members(data):
    """The members of a newc archive: {path: (mode, contents)}. What is cut off or of another format is an error; sizes in it are not believed."""
    found, at = {}, 0
    while True:
        if len(data) < at + 110:
            raise CpioError(f"a cpio archive that is cut off at byte {len(data)}")
        try:
            fields = [int(data[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        except ValueError:
            raise CpioError(f"not a cpio archive (newc) at byte {at}, or compressed") from None
        mode, size, name_size = fields[1], fields[6], fields[11]
        start = (at + 110 + name_size + 3) & ~3
        if data[at:at + 6] != b"070701" or name_size == 0 or start + size > len(data):
            raise CpioError(f"a cpio archive that is cut off or damaged at byte {at}")
        name = data[at + 110:at + 110 + name_size - 1].decode(errors="replace")
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, data[start:start + size])
        at = (start + size + 3) & ~3


def header(inode, mode, size, mtime, name):
    fields = (inode, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, mtime, size, 0, 0, 0, 0, len(name) + 1, 0)
    return b"070701" + "".join(f"{f:08X}" for f in fields).encode()


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def archive(members, mtime):
    """`members`: {path: (mode with type, contents)}; parents that are not named become directories of mode 0755."""
    complete = dict(members)
    for path in members:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            complete.setdefault("/".join(parts[:depth]), (stat.S_IFDIR | 0o755, b""))
    out = []
    for inode, path in enumerate(sorted(complete), 1):
        mode, data = complete[path]
        out.append(entry(inode, mode, data, mtime, path))
    out.append(entry(0, 0, b"", 0, "TRAILER!!!"))
    whole = b"".join(out)
    return whole + b"\0" * (-len(whole) % 512)


def entry(inode, mode, data, mtime, path):
    name = path.encode()
    return padded(header(inode, mode, len(data), mtime, name) + name + b"\0") + padded(data)

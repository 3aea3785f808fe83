"""Files that packages' scripts write in the order in which the build machine's directories were read: put into the order of names, so that the same packages
are the same bytes. Their blocks are independent of each other, and their comments are for people."""
import re

LIBRARIES = "usr/lib/x86_64-linux-gnu"
# folder with one folder a version -> the file in it
FILES = {f"{LIBRARIES}/gdk-pixbuf-2.0": "loaders.cache", f"{LIBRARIES}/gtk-2.0": "immodules.cache", f"{LIBRARIES}/gtk-3.0": "immodules.cache"}
LARGEST = 1 << 20


def settle(tree):
    """`tree`: a GuestTree."""
    for folder, name in FILES.items():
        for version in tree.names(folder):
            path = f"{folder}/{version}/{name}"
            data = tree.read(path, LARGEST)
            if data and len(data) < LARGEST:
                tree.write(path, in_order(data), 0o644, like_before=True)


def in_order(data):
    """Blocks of lines, parted by empty lines, by their first line; without comments."""
    lines = b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"#"))
    blocks = sorted(filter(None, (block.strip(b"\n") for block in re.split(rb"\n\n+", lines))))
    return b"\n\n".join(blocks) + b"\n\n"

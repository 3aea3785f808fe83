"""An image as the rules see it."""
import dataclasses
import os
import stat

from ..service_files import inside

READ_LIMIT = 4 << 20


@dataclasses.dataclass(frozen=True)
class Entry:
    path: str           # absolute in the image
    mode: int
    size: int
    target: str         # of a link, else ""

    @property
    def is_file(self):
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self):
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self):
        return stat.S_ISLNK(self.mode)


class Tree:
    """`modes`: {path: mode} as the image says them, where an unpacked copy must not carry them (setuid on the host)."""

    def __init__(self, root, modes=None):
        self.root, self.modes = os.fspath(root), modes or {}
        self.remembered = {}    # what a rule has seen, for its own notes
        self.entries = sorted(self.walk(), key=lambda entry: entry.path)
        self.by_path = {entry.path: entry for entry in self.entries}

    def walk(self):
        for directory, names, files in os.walk(self.root):
            for name in names + files:
                full = os.path.join(directory, name)
                facts = os.lstat(full)
                path = "/" + os.path.relpath(full, self.root)
                yield Entry(path, self.modes.get(path, facts.st_mode), facts.st_size, os.readlink(full) if stat.S_ISLNK(facts.st_mode) else "")

    def below(self, directory):
        prefix = directory.rstrip("/") + "/"
        return [entry for entry in self.entries if entry.path.startswith(prefix)]

    def real(self, path):
        """Where `path` leads in the image, as a path on the host; None when it leads nowhere."""
        return inside(self.root, path)

    def read(self, path, limit=READ_LIMIT):
        """The first bytes of a file, b"" when there is none. Links are followed within the image; what is no plain file is not opened."""
        found = self.real(path)
        if found is None or not os.path.isfile(found):
            return b""
        with open(found, "rb") as file:
            return file.read(limit)

    def pieces(self, path, size, overlap):
        """A file in parts of `size` bytes, each beginning with the last `overlap` ones of that before it."""
        found = self.real(path)
        if found is None or not os.path.isfile(found):
            return
        with open(found, "rb") as file:
            kept = b""
            while block := file.read(size):
                yield kept + block
                kept = (kept + block)[-overlap:] if overlap else b""

    def text(self, path):
        return self.read(path).decode(errors="replace")


@dataclasses.dataclass(frozen=True)
class Subject:
    tree: Tree
    manifest: dict          # {} where there is none
    initrd: dict            # path -> contents
    kernel_config: dict     # symbol -> value; {} where unknown
    programs: list | None   # argv lists that must run; None for an image that is not of a profile
    run: object = None      # argv -> (code, what it said), within the image
    host_agent: dict | None = None  # version, build_id and sha256 of the agent that this host has

    @property
    def has_systemd(self):
        return self.tree.real("/usr/lib/systemd/systemd") is not None

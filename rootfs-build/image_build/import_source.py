"""What a user brings, a tar or a directory, as base.tar: every member looked at, what would write or reach outside of the image refused by its name.

Absolute symbolic links are kept as they are (every Debian root has them; in the guest they lead to the guest's own files) and never gone through; only where
we write ourselves (OURS) they are refused.
Device nodes right below dev/ are left out, for the guest has a devtmpfs there; others are refused.
"""
import os
import pathlib
import posixpath
import re
import stat
import tarfile
import tempfile

from .errors import BuildError

MAX_MEMBERS, MAX_BYTES, MAX_FAULTS = 2_000_000, 64 << 30, 12
CAPABILITY = "security.capability"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Directories that the build and the agent write to: they are the image's own.
OURS = ("dev", "etc", "etc/vigil", "proc", "run", "sys", "tmp", "usr", "usr/libexec", "usr/libexec/vigil", "var")
MEND = "take these out of what is imported; nothing was published"


class Members:
    """Names and links of one archive so far, to tell where a name really leads."""

    def __init__(self):
        self.links, self.files = {}, set()      # path -> target of a symbolic link; plain files that a hard link may name

    def fault_of(self, info, name):
        """Why this member must not be in an image, or ""."""
        if name is None:
            return "its name leads out of the image"
        if CONTROL.search(info.name):
            return "its name has a control character"
        if (through := self.link_on_the_way(name)) is not None:
            return f"it lies behind the link {through} -> {self.links[through]}"
        if info.isdev() and not info.isfifo() and posixpath.dirname(name) != "dev":
            return "it is a device node"
        if info.islnk():
            target = plain(info.linkname)
            if target is None or info.linkname.startswith("/"):
                return f"it is a hard link that leads out of the image: {info.linkname}"
            if target not in self.files:
                return f"it is a hard link to {info.linkname}, which is no file before it in the archive"
        if not (info.isreg() or info.isdir() or info.issym() or info.islnk() or info.isdev()):
            return f"it is of an unknown kind ({info.type!r})"
        return ""

    def led_out(self):
        """"NAME: why" of directories that we write to and that are links which lead out of the image."""
        return [f"{name!r}: a directory that the image needs for itself is a link that leads out of it: {self.links[name]}" for name in OURS
                if name in self.links and leads_out(name, self.links[name])]

    def link_on_the_way(self, name):
        parts = name.split("/")[:-1]
        return next((path for depth in range(1, len(parts) + 1) if (path := "/".join(parts[:depth])) in self.links), None)

    def add(self, info, name):
        self.links.pop(name, None)
        self.files.discard(name)
        if info.issym():
            self.links[name] = info.linkname
        elif info.isreg() or info.islnk():
            self.files.add(name)


def plain(name):
    """usr/bin/x of ./usr/bin/x or usr//bin/x; None of what is absolute or goes upwards; "" of the root itself."""
    if name.startswith("/"):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if ".." in parts else "/".join(parts)


def leads_out(name, target):
    """Of a symbolic link: is it absolute, or does it climb above the root?"""
    depth = name.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return target.startswith("/")


def copy(source, out, item):
    """Writes the members of the open archive `source` to the open archive `out`; BuildError naming those that are refused."""
    seen, refused, left_out, count, size = Members(), [], [], 0, 0
    for info in source:
        count, size = count + 1, size + info.size
        if count > MAX_MEMBERS or size > MAX_BYTES:
            raise BuildError(item, f"more than {MAX_MEMBERS} members or {MAX_BYTES >> 30} GiB", MEND)
        name = plain(info.name)
        if fault := seen.fault_of(info, name):
            refused.append(f"{info.name!r}: {fault}")
            if len(refused) >= MAX_FAULTS:
                break
            continue
        if info.isdev() and not info.isfifo():
            left_out.append(name)
            continue
        seen.add(info, name)
        write(source, out, info, name)
    refused += seen.led_out()
    if refused:
        raise BuildError(item, "; ".join(refused), MEND)
    if not seen.files:
        raise BuildError(item, "holds no files", "is it the right archive?")
    return left_out


def write(source, out, info, name):
    info.name = f"./{name}" if name else "."
    if info.islnk():
        info.linkname = f"./{plain(info.linkname)}"
    # Names of accounts on the machine where it was made mean nothing in the image; what else pax says of a member is kept if it is an attribute.
    info.uname = info.gname = ""
    info.pax_headers = {key: value for key, value in info.pax_headers.items() if key.startswith("SCHILY.xattr.")}
    out.addfile(info, source.extractfile(info) if info.isreg() else None)


def from_tar(path, out):
    try:
        with tarfile.open(path, "r:*") as source, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as target:
            return copy(source, target, str(path))
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == 28:
            raise
        raise BuildError(str(path), f"not a tar archive that can be read: {error}", "give a tar (plain, gzip, bzip2 or xz), or a directory") from error


def from_directory(path, out):
    """As a tar of it, so that both ways are judged alike. An ordinary user's files become root's, for nobody else owns files in a guest."""
    with tempfile.TemporaryFile(dir=out.parent) as scratch:
        with tarfile.open(fileobj=scratch, mode="w", format=tarfile.PAX_FORMAT) as packed:
            for folder, names, files in os.walk(path):
                names.sort()
                for name in sorted(names + files):
                    add(packed, pathlib.Path(folder) / name, path)
        scratch.seek(0)
        with tarfile.open(fileobj=scratch, mode="r:") as source, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as target:
            return copy(source, target, str(path))


def add(packed, full, root):
    if stat.S_ISSOCK(os.lstat(full).st_mode):
        return      # nobody listens on it any more
    info = packed.gettarinfo(full, arcname=str(full.relative_to(root)))
    if os.geteuid() != 0:
        info.uid = info.gid = 0
    if info.isreg():
        info.pax_headers = attributes(full)
        with open(full, "rb") as file:
            packed.addfile(info, file)
    else:
        packed.addfile(info)


def attributes(path):
    """A program's capabilities, as GNU tar writes them. (What else there may be is the machine's: its labels, its access lists.)"""
    try:
        return {f"SCHILY.xattr.{CAPABILITY}": os.getxattr(path, CAPABILITY, follow_symlinks=False).decode("utf-8", "surrogateescape")}
    except OSError:
        return {}


def bring(path, out):
    """Leaves base.tar at `out`; gives the names of device nodes that were left out."""
    if path.is_dir():
        return from_directory(path, out)
    if path.is_file():
        return from_tar(path, out)
    raise BuildError(str(path), "is neither a file nor a directory", "give a tar or a directory")


def service_files(base, directory):
    """Copies the service files of base.tar to `directory`, to be checked before anything is built."""
    with tarfile.open(base, "r:") as tar:
        for info in tar:
            if re.fullmatch(r"\./etc/vigil/services\.d/[A-Za-z0-9_.-]+\.json", info.name) and info.isreg() and info.size < 1 << 20:
                (directory / posixpath.basename(info.name)).write_bytes(tar.extractfile(info).read())

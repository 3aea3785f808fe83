"""Every read and write below an image's tree goes through here: paths are resolved by the kernel as if the tree were "/" (openat2, RESOLVE_IN_ROOT), so that
a link of a hostile tree leads nowhere but into the tree. A last component that is written is replaced, never followed."""
import contextlib
import ctypes
import errno
import os
import shutil
import stat
import struct

OPENAT2 = 437                       # the same number on every architecture
NO_MAGICLINKS, IN_ROOT = 0x02, 0x10
LIMIT = 16 << 20
AGAIN = 16                          # a rename elsewhere in the system makes openat2 ask for another try
MADE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LIBC = ctypes.CDLL(None, use_errno=True)


class TreeError(OSError):
    """errno, cause, the path in the image."""


def parts_of(path):
    return [part for part in os.fspath(path).split("/") if part not in ("", ".")]


class GuestTree:
    def __init__(self, root):
        self.root = os.fspath(root)
        self.fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open(self, path, flags=os.O_RDONLY):
        """A descriptor of what is there; all links are followed within the tree."""
        how = struct.pack("<QQQ", flags | os.O_CLOEXEC, 0, IN_ROOT | NO_MAGICLINKS)
        for _ in range(AGAIN):
            fd = LIBC.syscall(OPENAT2, self.fd, os.fsencode(os.fspath(path)) or b".", how, len(how))
            if fd >= 0:
                return fd
            if ctypes.get_errno() != errno.EAGAIN:
                break
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "/" + "/".join(parts_of(path)))

    def directory(self, path, mode=0o755):
        """A descriptor of a directory, which is made if it is not there."""
        fd = self.open(".", os.O_RDONLY | os.O_DIRECTORY)
        at = []
        for part in parts_of(path):
            at.append(part)
            try:
                below = self.open("/".join(at), os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                below = self.make(fd, part, "/".join(at), mode)
            except OSError as error:
                os.close(fd)
                why = "is a file where a directory is needed" if error.errno == errno.ENOTDIR else error.strerror
                raise TreeError(error.errno, why, "/" + "/".join(at)) from error
            os.close(fd)
            fd = below
        return fd

    def make(self, parent, name, path, mode):
        try:
            os.mkdir(name, mode, dir_fd=parent)
        except FileExistsError as error:
            target = os.readlink(name, dir_fd=parent)
            raise TreeError(errno.EEXIST, f"is a link that leads to nothing in the image: {target}", f"/{path}") from error
        return self.open(path, os.O_RDONLY | os.O_DIRECTORY)

    @contextlib.contextmanager
    def parent(self, path):
        """(descriptor of the directory, last component)."""
        *above, name = parts_of(path)
        fd = self.directory("/".join(above))
        try:
            yield fd, name
        finally:
            os.close(fd)

    def read(self, path, limit=LIMIT):
        """Contents of a plain file, or None."""
        try:
            # Not a FIFO's open, which would wait for ever.
            fd = self.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        with os.fdopen(fd, "rb") as file:
            return file.read(limit)

    def read_text(self, path):
        data = self.read(path)
        return None if data is None else data.decode(errors="replace")

    def names(self, path):
        """Sorted; [] of what is no directory."""
        try:
            fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return []
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def facts(self, path):
        """lstat in the tree, or None."""
        if not parts_of(path):
            return os.fstat(self.fd)
        *above, name = parts_of(path)
        try:
            fd = self.open("/".join(above) or ".", os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return None
        try:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            return None
        finally:
            os.close(fd)

    def write(self, path, data, mode=0o644, like_before=False):
        """Replaces what is there. `like_before`: with the owner that it had."""
        data = data.encode() if isinstance(data, str) else data
        with self.parent(path) as (fd, name):
            before = cleared(fd, name, path)
            with os.fdopen(os.open(name, MADE, mode, dir_fd=fd), "wb") as file:
                file.write(data)
                if like_before and before is not None:
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), mode)

    def copy_in(self, source, path, mode):
        with self.parent(path) as (fd, name):
            cleared(fd, name, path)
            with open(source, "rb") as reader, os.fdopen(os.open(name, MADE, mode, dir_fd=fd), "wb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
                os.fchmod(writer.fileno(), mode)

    def symlink(self, target, path):
        with self.parent(path) as (fd, name):
            cleared(fd, name, path)
            os.symlink(target, name, dir_fd=fd)

    def remove(self, path):
        """With all that is below; a link itself, not what it leads to. What is not there is not missed."""
        *above, name = parts_of(path)
        try:
            fd = self.open("/".join(above) or ".", os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=fd)
            else:
                os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            pass
        finally:
            os.close(fd)

    def give(self, path, uid, gid, mode):
        """A directory, made if need be, with all that is below, to one owner."""
        top = self.directory(path)
        try:
            for _, names, files, fd in os.fwalk(".", dir_fd=top, follow_symlinks=False):
                for name in names + files:
                    os.chown(name, uid, gid, dir_fd=fd, follow_symlinks=False)
            os.fchown(top, uid, gid)
            os.fchmod(top, mode)
        finally:
            os.close(top)


def cleared(fd, name, path):
    """Takes away the file or link that stands where one is written; what it was, or None."""
    try:
        before = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(before.st_mode):
        raise TreeError(errno.EISDIR, "is a directory where a file is to be written", f"/{'/'.join(parts_of(path))}")
    os.unlink(name, dir_fd=fd)
    return before

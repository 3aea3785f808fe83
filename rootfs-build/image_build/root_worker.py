"""Lays the profile's files over the base and packs the tree as ext4. Run as its own process, for it may have to run in a user namespace
where the root's files have their owners. Whatever it writes below the tree it writes through guest_tree, for the base may be anybody's. Takes one JSON argument,
answers with one JSON line: {"faults": [..], "parts": [[NAME, BYTES]..], "bytes": N, "replaced": [PATH..]}."""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from image_build import accounts, settled, sizes  # noqa: E402  (the path is set just above)
from image_build.guest_tree import GuestTree, TreeError  # noqa: E402
from image_build.service_files import missing_programs  # noqa: E402

# Where guest/init/core_pattern.hpp looks for it.
CORE_HELPER = "usr/libexec/vigil/vigil-core"
BLOCK = 4096
# Blocks for the file system's own tables, beyond a hundredth; a link's target of less bytes needs no block.
ROOM, SHORT_LINK = 128, 60
# Directories that the agent mounts over or writes to; a root that is read-only cannot grow them later.
MOUNT_POINTS = {"dev": 0o755, "proc": 0o555, "sys": 0o555, "run": 0o755, "tmp": 0o1777}
# Traces of how and where the root was made; /etc/apt would carry this machine's mirror into the guest.
REMOVED = ("etc/apt", "var/lib/apt", "var/cache/apt", "var/log/apt", "var/log/dpkg.log", "var/log/alternatives.log", "var/log/bootstrap.log", "var/log/fontconfig.log",
          
           "var/cache/debconf/config.dat-old", "var/cache/debconf/templates.dat-old", "var/cache/ldconfig/aux-cache", "var/lib/dpkg/status-old",
           "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/resolv.conf", "etc/hostname")


def main(job):
    work = pathlib.Path(job["work"])
    work.mkdir(parents=True)
    os.umask(0o022)
    unpack(job, work)
    with GuestTree(work) as tree:
        faults, replaced = fill(job, tree)
        largest, total = sizes.largest(tree)
    if not faults:
        clamp_times(work, job["epoch"])
        pack(work, pathlib.Path(job["out"]), job["uuid"], job["mke2fs"])
    shutil.rmtree(work)
    print(json.dumps({"faults": faults, "parts": largest, "bytes": total, "replaced": replaced}))


def unpack(job, work):
    """All attributes, capabilities, too: tar takes those of users alone unless it is told."""
    subprocess.run(["tar", "--extract", "--file", job["base"], "--directory", work, "--numeric-owner", "--same-permissions", "--xattrs", "--xattrs-include=*",
                    "--exclude=./dev/*", "--exclude=./run/*"], check=True)
    if job["npm"]:
        subprocess.run(["tar", "--extract", "--file", job["npm"], "--directory", work, "--same-permissions"], check=True)


def fill(job, tree):
    """(faults, package files that the profile's own replace)."""
    packaged = {path for _, paths in sizes.debian_packages(tree) for path in paths}
    faults = accounts.add(tree, job["users"], job["epoch"])
    laid = [path for layer in job["layers"] for path in lay_over(pathlib.Path(layer), tree)]
    accounts.give_homes(tree, job["users"])
    tree.copy_in(job["core_helper"], CORE_HELPER, 0o755)
    configure(tree, job["image_id"])
    settled.settle(tree)
    return faults + list(missing_programs(tree)), sorted(packaged.intersection(laid))


def lay_over(files, tree):
    """A checkout keeps no owners and only the executable bit: everything becomes root's, 0755 or 0644. Gives the paths of what is no directory."""
    for source in sorted(files.rglob("*")):
        path = str(source.relative_to(files))
        if source.is_symlink():
            tree.symlink(os.readlink(source), path)
        elif source.is_dir():
            os.close(tree.directory(path))
            continue
        else:
            tree.copy_in(source, path, 0o755 if source.stat().st_mode & 0o100 else 0o644)
        yield f"/{path}"


def configure(tree, image_id):
    for name in REMOVED:
        tree.remove(name)
    for name, mode in MOUNT_POINTS.items():
        fd = tree.directory(name)
        os.fchmod(fd, mode)
        os.close(fd)
    tree.write("etc/vigil/image-id", f"{image_id}\n")
    tree.write("etc/hostname", "vigil\n")
    tree.write("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 vigil\n::1 localhost\n")
    tree.write("etc/machine-id", "")


def clamp_times(tree, epoch):
    """Nothing in the root is newer than the build's own date."""
    for directory, names, files in os.walk(tree, topdown=False):
        for name in names + files:
            clamp(os.path.join(directory, name), epoch)
    clamp(tree, epoch)


def clamp(path, epoch):
    if os.lstat(path).st_mtime > epoch:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def size_of(tree):
    """(bytes, inodes) for a file system that holds the tree with a little room: a read-only root needs no more."""
    blocks, inodes, seen = 0, 0, set()
    for directory, names, files in os.walk(tree):
        inodes += 1
        blocks += 1 + sum(len(n) + 12 for n in names + files) // BLOCK
        for name in names + files:
            path = os.path.join(directory, name)
            facts = os.lstat(path)
            if not stat.S_ISDIR(facts.st_mode) and facts.st_ino not in seen:
                seen.add(facts.st_ino)
                inodes += 1
                blocks += blocks_of(facts) + bool(os.listxattr(path, follow_symlinks=False))
    inodes += inodes // 20 + 64
    return (blocks + inodes * 256 // BLOCK + blocks // 100 + ROOM) * BLOCK, inodes


def blocks_of(facts):
    """Of a file's contents; a short link lies in its inode."""
    if stat.S_ISREG(facts.st_mode) or (stat.S_ISLNK(facts.st_mode) and facts.st_size >= SHORT_LINK):
        return -(-facts.st_size // BLOCK)
    return 0


def pack(tree, out, uuid, mke2fs):
    """`mke2fs` 1.47.1 or later: names in order, and all times but those of contents from SOURCE_DATE_EPOCH; the same tree gives the same bytes."""
    size, inodes = size_of(tree)
    with open(out, "wb") as file:
        file.truncate(size)
    subprocess.run([*mke2fs, "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-L", "vigil-root", "-U", uuid, "-m", "0", "-N", str(inodes),
                    "-O", "^has_journal,^resize_inode", "-E", f"hash_seed={uuid},lazy_itable_init=0,discard,root_owner=0:0", "-d", tree, out],
                   check=True, stdout=sys.stderr)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except TreeError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"error: {error}")

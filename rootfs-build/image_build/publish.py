"""Puts a finished image where the daemon looks: all of it or nothing, under its digest; then `current` is switched.

A crash at any point leaves either the old `current` with its image or the new one with its image.
"""
import json
import os
import pathlib
import shutil

from . import manifest as manifests
from .errors import BuildError

# Gigabytes of holes around a megabyte of data: hashing takes seconds, so it is done once, when the file is made; and copying costs nothing.
SPARSE = ("overlay",)


def current_manifest(directory):
    """(digest, manifest bytes) of DIR/current, or None."""
    try:
        digest = os.readlink(directory / "current")
        return digest, (directory / digest / "manifest.json").read_bytes()
    except OSError:
        return None


def is_whole(directory, manifest):
    """Every file is there with its size; contents are for `verify`."""
    try:
        return all((directory / manifest[part]["file"]).stat().st_size == manifest[part]["bytes"] for part in manifests.FILES)
    except OSError:
        return False


def publish(directory, sources, manifest, boot_test=None):
    """`sources`: part -> path of its file; `boot_test`: what is told of the image and is no part of it. Returns the digest."""
    data = manifests.encode(manifest)
    digest = manifests.digest_of(data)
    target = pathlib.Path(directory) / digest
    sweep(target.parent)
    if not (target.is_dir() and is_whole(target, manifest)):
        place(target, sources, manifest, data, boot_test)
    switch(target.parent / "current", digest)
    return digest


def place(target, sources, manifest, data, boot_test):
    fresh = target.with_name(f".new-{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        twins = published_files(target.parent)
        for part, name in manifests.FILES.items():
            bring(sources[part], fresh / name, twins.get(manifest[part]["sha256"]), manifest[part]["sha256"])
        check(fresh, manifest)
        if boot_test is not None:
            write_synced(fresh / boot_test.name, boot_test.read_bytes())
        write_synced(fresh / "manifest.json", data)
        fresh.chmod(0o755)
        sync_directory(fresh)
        if target.exists():     # damaged: a file is missing or has another size
            shutil.rmtree(target)
        fresh.rename(target)
        sync_directory(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def published_files(directory):
    """sha256 -> path of the files of the images that are there already. Images never change, so equal files may be one file:
    an image that differs by its agent costs two megabytes, not a hundred."""
    found = {}
    for path in sorted(directory.glob("*/manifest.json")):
        try:
            manifest = json.loads(path.read_bytes())
            found.update({manifest[part]["sha256"]: path.parent / name for part, name in manifests.FILES.items() if part not in SPARSE})
        except (OSError, ValueError, KeyError, TypeError):
            continue    # damaged: not our concern, and nothing to link to
    return found


def bring(source, target, twin, wanted):
    try:
        if twin and manifests.hash_of_file(twin) == wanted:
            os.link(twin, target)
            return
    except OSError:
        pass            # no hard links here, or too many
    copy_sparse(source, target)


def check(directory, manifest):
    """What was copied is what the manifest says; a cache that was damaged behind our back must not be published."""
    for part, name in manifests.FILES.items():
        if part in SPARSE:
            continue
        found = manifests.file_facts(directory / name, name)
        if found["sha256"] != manifest[part]["sha256"]:
            raise BuildError(name, "the cached file is not the one that was built (its hash differs)", "run the build again with --refresh", "publish")


def copy_sparse(source, target):
    with open(source, "rb") as reader, open(target, "wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:     # ENXIO: nothing but a hole up to the end
                break
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            copy_range(reader.fileno(), writer.fileno(), at, end)
            at = end
        os.fchmod(writer.fileno(), 0o444)
        os.fsync(writer.fileno())


def copy_range(source, target, at, end):
    while at < end:
        block = os.pread(source, min(1 << 16, end - at), at)
        if not block:
            raise OSError(5, "the file became shorter while it was copied")
        if block.count(0) != len(block):    # what a file system calls data may still be zeros (unwritten extents)
            os.pwrite(target, block, at)
        at += len(block)


def write_synced(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())


def sync_directory(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def switch(link, digest):
    fresh = link.with_name(f".current-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(digest)
    fresh.rename(link)
    sync_directory(link.parent)


def sweep(directory):
    """Removes what a killed build left; the caller holds the lock."""
    for path in directory.glob(".new-*") if directory.is_dir() else ():
        shutil.rmtree(path, ignore_errors=True)
    for path in directory.glob(".current-*") if directory.is_dir() else ():
        path.unlink(missing_ok=True)

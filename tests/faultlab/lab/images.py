"""Damaged images, each a variant of the minimal one under a name that tells nothing."""
import stat
import subprocess
import sys
import threading

from harness.daemon import ROOT
from harness.image import part_of, read_cpio, root_with, sparse_copy, variant

sys.path.insert(0, str(ROOT / "rootfs-build"))
from image_build import cpio   # noqa: E402

PROGRAM = stat.S_IFREG | 0o755
LOCK = threading.Lock()


def publish(scene, parts=None, image="minimal", **changes):
    name = scene.word("image")
    with LOCK:
        variant(scene.lab.daemon, name, image=image, parts=parts, **changes)
    return name


def scratch(scene, name):
    folder = scene.lab.daemon.base / scene.word("scratch folder")
    folder.mkdir(exist_ok=True)
    return folder / name


def part(scene, which):
    return part_of(scene.lab.daemon, which)


def file_as(which, data):
    """This part is these bytes (or what the function makes of the scene)."""
    def make(scene):
        path = scratch(scene, which)
        path.write_bytes(data(scene) if callable(data) else data)
        return publish(scene, {which: path})
    return make


def cut(which, share):
    """This part ends early."""
    return file_as(which, lambda scene: part(scene, which).read_bytes()[:int(part(scene, which).stat().st_size * share)])


def overwritten(which, at, data):
    """A part that is too large to rewrite has `data` written over it at this offset."""
    def make(scene):
        path = sparse_copy(part(scene, which), scratch(scene, which))
        with path.open("r+b") as file:
            file.seek(at)
            file.write(data)
        return publish(scene, {which: path})
    return make


def initrd(change, **changes):
    """The initramfs with its members changed: change(members, scene)."""
    def make(scene):
        members = read_cpio(part(scene, "initrd").read_bytes())
        change(members, scene)
        path = scratch(scene, "initrd")
        path.write_bytes(cpio.archive(members, 0))
        return publish(scene, {"initrd": path}, **changes)
    return make


def without(member):
    return initrd(lambda members, scene: members.pop(member))


def with_init(program):
    """Another /init: bytes, or a function of the scene."""
    def change(members, scene):
        members["init"] = (PROGRAM, program(scene) if callable(program) else program)
    return initrd(change)


def built(image):
    """This image as it is."""
    def find(scene):
        if not (scene.lab.daemon.state / "images" / image).is_dir():
            raise RuntimeError(f"the image {image} is not built: ./dev faultlab --all and ./dev faultlab {image} build it")
        return image
    return find


def with_files(files, image):
    """This image with more files in its root: {path: text}, tokens in both filled, executable."""
    def make(scene):
        built(image)(scene)
        here = {}
        for number, (path, text) in enumerate(files.items()):
            here[scene.fill(path)] = scratch(scene, f"file-{number}")
            here[scene.fill(path)].write_text(scene.fill(text).replace("@stamp", scene.stamp()))
        return publish(scene, {"root": root_with(scene.lab.daemon, here, image, scratch(scene, "root"))}, image)
    return make


def few_inodes(scene):
    """The template of the writable disk has room for bytes, not for files."""
    path = scratch(scene, "overlay")
    with path.open("wb") as file:
        file.truncate(part(scene, "overlay").stat().st_size)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-N", "1500", path], check=True, capture_output=True)
    return publish(scene, {"overlay": path})

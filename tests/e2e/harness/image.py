"""Variants of a published image: the same files by hard link, another manifest, and so another digest."""
import hashlib
import json
import os


def digest_of(daemon, image="minimal"):
    return os.readlink(daemon.state / "images" / image / "current")


def variant(daemon, name, image="minimal", kernel=None, **changes):
    """Publishes `name` in the daemon's state: `changes` are laid over the manifest, `kernel` replaces the kernel file."""
    source = daemon.state / "images" / image / digest_of(daemon, image)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest.update(changes, name=name)
    if kernel is not None:
        data = kernel.read_bytes()
        manifest["kernel"].update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    text = json.dumps(manifest, indent=1).encode()
    digest = hashlib.sha256(text).hexdigest()
    target = daemon.state / "images" / name / digest
    target.mkdir(parents=True)
    (target / "manifest.json").write_bytes(text)
    for part in ("kernel", "initrd", "root", "overlay"):
        file = manifest[part]["file"]
        os.link(kernel if part == "kernel" and kernel is not None else source / file, target / file)
    os.symlink(digest, target.parent / "current")
    return digest

"""Variants of a published image: the same files by hard link, another manifest, and so another digest."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys

from .daemon import BIN, ROOT

sys.path.insert(0, str(ROOT / "rootfs-build"))
from image_build import cpio, modules, package_store, places   # noqa: E402

PARTS = ("kernel", "initrd", "root", "overlay")


def digest_of(daemon, image="minimal"):
    return os.readlink(daemon.state / "images" / image / "current")


def root_with(daemon, files, image="minimal", target=None):
    """A copy of the image's root.ext4 with more files, or others: {path in the guest: file here}, executable and root's. Nothing is mounted."""
    source = daemon.state / "images" / image / digest_of(daemon, image) / "root.ext4"
    root = target or daemon.base / f"root-with-{len(files)}-more.ext4"
    subprocess.run(["cp", "--sparse=always", source, root], check=True)
    folders = {str(parent) for there in files for parent in pathlib.PurePosixPath(there).parents} - {"/"}
    missing = [folder for folder in sorted(folders) if not is_in(root, folder)]
    words = "".join(f"mkdir {folder}\n" for folder in missing)
    words += "".join(f"rm {there}\n" for there in files if is_in(root, there))
    words += "".join(f"write {here} {there}\nset_inode_field {there} mode 0100755\n" for there, here in files.items())
    done = subprocess.run(["debugfs", "-w", "-f", "-", root], input=words, capture_output=True, text=True, check=True)
    complaints = [line for line in done.stderr.splitlines() if line and not line.startswith("debugfs ")]
    if complaints:
        raise RuntimeError(f"debugfs: {complaints[0]}")
    return root


def without(root, paths):
    """Takes files out of such a copy."""
    subprocess.run(["debugfs", "-w", "-f", "-", root], input="".join(f"rm {path}\n" for path in paths), capture_output=True, text=True, check=True)


def is_in(root, path):
    return "Inode:" in subprocess.run(["debugfs", "-R", f"stat {path}", root], capture_output=True, text=True, check=True).stdout


def manifest_of(daemon, image="minimal"):
    return json.loads((daemon.state / "images" / image / digest_of(daemon, image) / "manifest.json").read_text())


def part_of(daemon, part, image="minimal"):
    """The path of an image's kernel, initrd, root or overlay."""
    source = daemon.state / "images" / image / digest_of(daemon, image)
    return source / json.loads((source / "manifest.json").read_text())[part]["file"]


def variant(daemon, name, image="minimal", parts=None, **changes):
    """Publishes `name` in the daemon's state: `changes` are laid over the manifest, `parts` (kernel, initrd, root, overlay: a file) replace files."""
    source = daemon.state / "images" / image / digest_of(daemon, image)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest.update(changes, name=name)
    parts = {part: pathlib.Path(path) for part, path in (parts or {}).items()}
    for part, path in parts.items():
        with path.open("rb") as file:
            manifest[part].update(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)
    text = json.dumps(manifest, indent=1).encode()
    digest = hashlib.sha256(text).hexdigest()
    target = daemon.state / "images" / name / digest
    target.mkdir(parents=True)
    (target / "manifest.json").write_bytes(text)
    for part in PARTS:
        file = manifest[part]["file"]
        os.link(parts.get(part, source / file), target / file)
    current = target.parent / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(digest)
    return digest


def sparse_copy(source, target):
    """For a part that is to be damaged: images are shared by hard link and must stay as they are."""
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
    target.chmod(0o644)
    return target


def read_cpio(data):
    """The members of a newc archive, as image_build's cpio.archive takes them: {path: (mode, contents)}."""
    members, at = {}, 0
    while data[at:at + 6] == b"070701":
        fields = [int(data[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110:at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            break
        members[name] = (mode, data[start:start + size])
        at = (start + size + 3) & ~3
    return members


def kernel_module(daemon, name, image="minimal"):
    """A module of the kernel that the image has, from the package that the builder of images keeps; LookupError when this machine has it no more."""
    kernel = manifest_of(daemon, image)["kernel"]
    kept = [json.loads(facts.read_text()) for facts in places.cache().glob("steps/kernel/*/kernel.json")]
    hashes = [facts["deb_sha256"] for facts in kept if (facts["package"], facts["package_version"]) == (kernel["package"], kernel["package_version"])]
    store = package_store.PackageStore(places.cache() / "packages")
    packages = [store.path_of({"sha256": one}) for one in hashes]
    package = next((path for path in packages if path.is_file()), None)
    if package is None:
        raise LookupError(f"{places.cache()} has not the package {kernel['package']} {kernel['package_version']} any more, of which {name}.ko is: "
                          "an image with a kernel of Debian must have been built on this machine")
    folder = daemon.base / "kernel-package"
    if not folder.exists():
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return modules.without_signature(modules.read_module(next(folder.glob(f"**/{name}.ko*"))))


def with_this_agent(daemon, name, image="minimal"):
    """Publishes `name`: the image with the agent and the core helper that were built here; its own may be older than what is looked at."""
    members = read_cpio(part_of(daemon, "initrd", image).read_bytes())
    members["init"] = (members["init"][0], (BIN / "vigil-guest").read_bytes())
    initrd = daemon.base / f"initrd-of-{name}"
    initrd.write_bytes(cpio.archive(members, 0))
    parts, core = {"initrd": initrd}, BIN / "vigil-core"
    if hashlib.sha256(core.read_bytes()).hexdigest() != manifest_of(daemon, image)["core_helper"]["sha256"]:
        parts["root"] = root_with(daemon, {"/usr/libexec/vigil/vigil-core": core}, image, daemon.base / f"root-of-{name}")
    variant(daemon, name, image=image, parts=parts)
    return name

"""Variants of a published image: the same files by hard link, another manifest, and so another digest."""
import hashlib
import json
import os
import pathlib
import subprocess


def digest_of(daemon, image="minimal"):
    return os.readlink(daemon.state / "images" / image / "current")


def root_with(daemon, files, image="minimal"):
    """A copy of the image's root.ext4 with more files: {path in the guest: file here}, executable and root's. Nothing is mounted."""
    source = daemon.state / "images" / image / digest_of(daemon, image) / "root.ext4"
    root = daemon.base / f"root-with-{len(files)}-more.ext4"
    subprocess.run(["cp", "--sparse=always", source, root], check=True)
    folders = {str(parent) for there in files for parent in pathlib.PurePosixPath(there).parents} - {"/"}
    missing = [folder for folder in sorted(folders) if not is_in(root, folder)]
    words = "".join(f"mkdir {folder}\n" for folder in missing)
    words += "".join(f"write {here} {there}\nset_inode_field {there} mode 0100755\n" for there, here in files.items())
    done = subprocess.run(["debugfs", "-w", "-f", "-", root], input=words, capture_output=True, text=True, check=True)
    complaints = [line for line in done.stderr.splitlines() if line and not line.startswith("debugfs ")]
    if complaints:
        raise RuntimeError(f"debugfs: {complaints[0]}")
    return root


def is_in(root, path):
    return "Inode:" in subprocess.run(["debugfs", "-R", f"stat {path}", root], capture_output=True, text=True, check=True).stdout


def variant(daemon, name, image="minimal", kernel=None, root=None, **changes):
    """Publishes `name` in the daemon's state: `changes` are laid over the manifest, `kernel` and `root` replace these files."""
    source = daemon.state / "images" / image / digest_of(daemon, image)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest.update(changes, name=name)
    replaced = {part: pathlib.Path(path) for part, path in (("kernel", kernel), ("root", root)) if path is not None}
    for part, path in replaced.items():
        manifest[part].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
    text = json.dumps(manifest, indent=1).encode()
    digest = hashlib.sha256(text).hexdigest()
    target = daemon.state / "images" / name / digest
    target.mkdir(parents=True)
    (target / "manifest.json").write_bytes(text)
    for part in ("kernel", "initrd", "root", "overlay"):
        file = manifest[part]["file"]
        os.link(replaced.get(part, source / file), target / file)
    os.symlink(digest, target.parent / "current")
    return digest

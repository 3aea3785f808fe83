"""The steps `root` and `overlay`: the base with the profile's files laid over it, as ext4 that all VMs share read-only; and the empty
ext4 that each VM gets a sparse copy of for its writes."""
import json
import os
import pathlib
import subprocess
import sys
import uuid

from .errors import BuildError
from .step_cache import hash_of_tree

PARTS = "parts.json"
WORKER = pathlib.Path(__file__).with_name("root_worker.py")
# Names for the UUIDs that follow from what is in an image; any fixed value would do.
NAMESPACE = uuid.UUID("8f1c5a52-6f0e-4b8e-9d3c-2f7a1e5b9c40")


def inputs(profile, base_key, npm_key, helper, tools_key, epoch):
    return {"base": base_key, "npm": npm_key, "files": [hash_of_tree(layer) for layer in profile.layers], "users": profile.users, "core_helper": helper["sha256"],
            "tools": tools_key, "epoch": epoch, "worker": WORKER.read_text()}


def image_id(root_key):
    """Tells initramfs and root of one build apart from others; the agent is not in it, for it may change without a new root."""
    return root_key[:32]


def filesystem_uuid(name):
    return str(uuid.uuid5(NAMESPACE, name))


def as_owner_of_files():
    """Prefix for a command that must see the root's files with their owners: none for root, else a user namespace in which the caller is
    root and the caller's subordinate ids are everyone else. (mmdebstrap's own helper maps the caller to nobody: it could not write here.)"""
    return [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", "--"]


def build(profile, base, npm, core_helper, identity, epoch, directory, tools, programs):
    """`npm`: the directory with npm.tar, or None."""
    job = {"base": str(base / "base.tar"), "npm": str(npm / "npm.tar") if npm else "", "layers": [str(layer) for layer in profile.layers], "users": profile.users,
           "core_helper": str(core_helper), "work": str(directory / "work"), "out": str(directory / "root.ext4"), "image_id": identity,
           "uuid": filesystem_uuid(identity), "epoch": epoch, "mke2fs": programs.command("mke2fs")}
    try:
        out = tools.run([*as_owner_of_files(), sys.executable, "-I", WORKER, json.dumps(job)], "root.ext4",
                        "if space is short, free some; as an ordinary user see rootfs-build/README.md on user namespaces",
                        env=programs.environment())
    finally:
        if (directory / "work").exists():
            tools.run([*as_owner_of_files(), "rm", "-rf", directory / "work"], "root.ext4")
    answer = json.loads(out.decode().strip().splitlines()[-1])
    if answer["faults"]:
        raise BuildError("services and users", "; ".join(answer["faults"]), "add the package that brings it, or mend the service file or the profile's users")
    (directory / PARTS).write_text(json.dumps({"parts": answer["parts"], "bytes": answer["bytes"], "replaced": answer["replaced"]}))


def overlay_inputs(profile, tools_key, epoch):
    return {"mib": profile.overlay_mib, "tools": tools_key, "epoch": epoch}


def build_overlay(profile, epoch, directory, tools, programs):
    """Blocks of zeros are left out of the file, so a sparse copy costs what ext4 itself writes: some 100 KiB. Room that ext4 keeps for growth would be 1 MiB
    of that (the kernel grows it all the same, by meta_bg), a file for orphans 512 KiB."""
    out = directory / "overlay.ext4"
    with open(out, "wb") as file:
        file.truncate(profile.overlay_mib << 20)
    name = filesystem_uuid(f"overlay {profile.overlay_mib}")
    tools.run([*programs.command("mke2fs"), "-q", "-F", "-t", "ext4", "-L", "vigil-overlay", "-U", name, "-m", "0", "-i", "32768", "-J", "size=8", "-O", "^resize_inode,^orphan_file",
               "-E", f"hash_seed={name},lazy_itable_init=0,lazy_journal_init=0,discard,root_owner=0:0", out], "overlay.ext4", "free some space",
              env=programs.environment())
    make_sparse(out)


def make_sparse(path):
    done = subprocess.run(["fallocate", "--dig-holes", path], check=False, capture_output=True)
    if done.returncode != 0:
        raise BuildError(str(path), f"holes cannot be made: {done.stderr.decode(errors='replace').strip()}",
                         "put --cache on a file system with sparse files (ext4, xfs, btrfs, tmpfs)")

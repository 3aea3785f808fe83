"""The step `initrd`: agent, modules in load order and the image's id, as an uncompressed newc archive (the kernel unpacks it in milliseconds)."""
import json
import stat

from . import cpio

DIRECTORIES = ("dev", "proc", "sys", "run", "newroot")
FILE, PROGRAM, FOLDER = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755, stat.S_IFDIR | 0o755


def inputs(kernel_key, agent_facts, image_id, epoch, init="pid1"):
    return {"kernel": kernel_key, "agent": agent_facts["sha256"], "image_id": image_id, "epoch": epoch, "init": init}


def build(kernel_directory, agent_path, image_id, epoch, directory, init="pid1"):
    names = json.loads((kernel_directory / "kernel.json").read_text())["modules"]
    members = {name: (FOLDER, b"") for name in DIRECTORIES}
    members["init"] = (PROGRAM, agent_path.read_bytes())
    members["etc/vigil/image-id"] = (FILE, f"{image_id}\n".encode())
    if init != "pid1":      # read by guest/boot/init_mode.hpp
        members["etc/vigil/init"] = (FILE, f"{init}\n".encode())
    members["etc/vigil/modules"] = (FILE, "".join(f"{n}\n" for n in names).encode())
    for name in names:
        members[f"lib/modules/{name}"] = (FILE, (kernel_directory / "modules" / name).read_bytes())
    (directory / "initrd").write_bytes(cpio.archive(members, epoch))

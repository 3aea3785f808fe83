#!/usr/bin/env python3
"""small_image.py TOOLS SCRATCH: packs a small root, its overlay and an initramfs with the image builder, prints {file: sha256}. TOOLS is the output of the
step `tools`; SCRATCH must not be there. The base is made here: owners, setuid, hard and symbolic links, attributes, a folder with many names."""
import io
import json
import pathlib
import sys
import tarfile
import types

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "rootfs-build"))
from image_build import initrd, root, suite_tools, tools  # noqa: E402  (the path is set just above)
from image_build.step_cache import hash_of_file  # noqa: E402

EPOCH = 1_735_689_600
# cap_net_raw, permitted and effective, as a file system keeps it.
CAPABILITY = "\x01\0\0\x02\0\x20\0\0" + "\0" * 12


def member(name, data=None, **facts):
    info = tarfile.TarInfo(f"./{name}")
    info.mtime, info.mode = 1_700_000_000, 0o755 if data is None else 0o644
    info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    info.size = len(data or b"")
    for key, value in facts.items():
        setattr(info, key, value)
    return info, data


def members():
    yield from (member(name) for name in ("usr", "usr/bin", "etc", "var", "var/lib", "home"))
    yield member("home/someone", uid=1000, gid=1000, mode=0o700)
    yield member("usr/bin/su", b"\x7fELF" * 3000, mode=0o4755)
    yield member("usr/bin/again", b"", type=tarfile.LNKTYPE, linkname="./usr/bin/su", size=0)
    yield member("bin", b"", type=tarfile.SYMTYPE, linkname="usr/bin", size=0)
    yield member("usr/bin/ping", b"#!/bin/sh\n", mode=0o755, pax_headers={"SCHILY.xattr.user.note": "kept", "SCHILY.xattr.security.capability": CAPABILITY})
    yield from (member(f"var/lib/{(number * 37) % 211:03d}-{'n' * (number % 40)}", b"x" * number * 50) for number in range(200))
    yield member("etc/newer", b"", mtime=2_000_000_000)


def write_base(path):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members():
            tar.addfile(info, io.BytesIO(data) if data else None)


def write_files(directory):
    (directory / "etc/vigil/services.d").mkdir(parents=True)
    for number in range(30):
        (directory / f"etc/{number * 7 % 30}.conf").write_text(f"{number}\n")
    (directory / "etc/vigil/services.d/su.json").write_text('{"name": "su", "exec": ["/bin/su"]}')


def main(tools_directory, scratch):
    scratch.mkdir(parents=True)
    for name in ("base", "files", "root", "overlay", "initrd", "kernel/modules"):
        (scratch / name).mkdir(parents=True)
    write_base(scratch / "base/base.tar")
    write_files(scratch / "files")
    (scratch / "helper").write_bytes(b"helper")
    (scratch / "kernel/kernel.json").write_text('{"modules": []}')
    (scratch / "log").touch()
    profile = types.SimpleNamespace(layers=[scratch / "files"], users=[], overlay_mib=64)
    programs, runner = suite_tools.SuiteTools(tools_directory), tools.Tools(scratch / "log", EPOCH)
    root.build(profile, scratch / "base", None, scratch / "helper", "0" * 32, EPOCH, scratch / "root", runner, programs)
    root.build_overlay(profile, EPOCH, scratch / "overlay", runner, programs)
    initrd.build(scratch / "kernel", scratch / "helper", "0" * 32, EPOCH, scratch / "initrd")
    made = {"root.ext4": scratch / "root", "overlay.ext4": scratch / "overlay", "initrd": scratch / "initrd"}
    print(json.dumps({name: hash_of_file(directory / name) for name, directory in made.items()}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))

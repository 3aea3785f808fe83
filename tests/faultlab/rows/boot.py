"""The VM does not get to its services."""
import struct

from harness.image import digest_of
from lab import images
from lab.native import exits, waits_for_ever
from lab.row import SEEN, Like, Row

DIRECTORY_DAMAGE = b"\xa5" * 4096


def broken_descriptors(scene):
    """The superblock is whole, the group descriptors (block 1) and their checksums are not."""
    return images.overwritten("root", 4096, DIRECTORY_DAMAGE)(scene)


def drop_module(members, scene):
    members.pop("lib/modules/vmw_vsock_virtio_transport.ko")


def other_image(members, scene):
    members["etc/vigil/image-id"] = (members["etc/vigil/image-id"][0], b"0123456789abcdef" * 2 + b"\n")


def alter_manifest(scene):
    folder = scene.lab.daemon.state / "images" / scene.word("image")
    manifest = folder / digest_of(scene.lab.daemon, scene.word("image")) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format"', ' "format"', 1))


def too_small_for_linux(scene):
    return images.publish(scene, min_memory_mib=32)


def garbled_archive(scene):
    """Looks compressed, is not: only the kernel finds out."""
    return images.file_as("initrd", b"\x1f\x8b\x08\0" + bytes(scene.random.randrange(256) for _ in range(200_000)))(scene)


ROWS = [
    Row("root-disk-absent", "the root disk asked for is not attached", "boot.root_missing", fields={"device": "<word:disk>", "seen": Like("vigil-root")},
        vm={"kernel_args": "vigil.root=<word:disk>"}, since="stage:initrd", later_s=1.5, ci=True, no_evidence=SEEN),
    Row("root-superblock", "the root file system's superblock is overwritten", "boot.root_corrupt",
        fields={"device": Like("^/dev/vd"), "error": Like(".")}, evidence=(Like("EXT4-fs"),),
        image=images.overwritten("root", 1024, bytes(1024)), since="stage:initrd", ci=True),
    Row("root-descriptors", "the root file system's group descriptors are overwritten", "boot.root_corrupt",
        fields={"device": Like("^/dev/vd")}, evidence=(Like("EXT4-fs"),), image=broken_descriptors, since="stage:initrd"),
    Row("writable-disk-damaged", "the VM's writable disk holds no file system", "boot.overlay_failed",
        fields={"errno": Like("/dev/vd")}, image=images.overwritten("overlay", 1024, bytes(1024)), since="stage:initrd", evidence=(Like("EXT4-fs .*Can't find ext4"),)),
    Row("kernel-not-elf", "the kernel file is no kernel", "boot.kernel_invalid", fields={"reason": Like("neither")},
        image=images.file_as("kernel", b"not a kernel" * 1000), since="host", ci=True, no_evidence=SEEN),
    Row("kernel-cut", "the kernel file ends early", "boot.kernel_invalid", fields={"reason": Like("cut off")}, image=images.cut("kernel", 0.6), since="host", no_evidence=SEEN),
    Row("initramfs-cut", "the initramfs ends early", "boot.initrd_invalid", fields={"reason": Like("cut off")}, image=images.cut("initrd", 0.5),
        since="host", ci=True, no_evidence=SEEN),
    Row("initramfs-no-archive", "the initramfs is neither an archive nor compressed", "boot.initrd_invalid", fields={"reason": Like("neither")},
        image=images.file_as("initrd", b"\x00\x01" * 5000), since="host", no_evidence=SEEN),
    Row("initramfs-garbled", "the initramfs looks compressed, and cannot be unpacked", "boot.initrd_invalid", fields={"reason": Like(".")},
        evidence=(Like("[Ii]nitramfs unpacking failed"),), image=garbled_archive, since="kernel:Initramfs unpacking failed"),
    Row("memory-below-minimum", "less memory than the image says it needs", "boot.memory_too_small", fields={"mib": 64}, vm={"memory_mib": 64}, since="host", no_evidence=SEEN),
    Row("memory-panics", "so little memory that the kernel gives up while it boots", "boot.memory_too_small", fields={"mib": 64},
        evidence=(Like("[Oo]ut of memory|deadlocked on memory"),), image=too_small_for_linux, vm={"memory_mib": 64}, since="kernel:Kernel panic"),
    Row("vsock-module-absent", "the initramfs lacks the vsock driver", "boot.module_missing", fields={"module": "vmw_vsock_virtio_transport.ko"},
        image=images.initrd(drop_module), since="start", ci=True, evidence=(Like(r"vmw_vsock_virtio_transport\.ko: No such file"),)),
    Row("initramfs-of-another-image", "initramfs and root disk are of two images", "boot.image_mismatch",
        fields={"expected": "0123456789abcdef" * 2, "found": Like("^[0-9a-f]{32}$")}, image=images.initrd(other_image), since="stage:initrd", no_evidence=SEEN),
    Row("manifest-altered", "the image's manifest was altered after the VM was made of it", "boot.image_mismatch",
        fields={"expected": Like("^[0-9a-f]{64}$"), "found": Like("^[0-9a-f]{64}$")}, evidence=(Like("digest mismatch"),),
        image=images.publish, at_created=alter_manifest, since="host", ci=True),
    Row("init-absent", "the initramfs holds no /init", "boot.init_missing", fields={"path": "/init"}, image=images.without("init"),
        since="kernel:Kernel panic", evidence=(Like("VFS: Cannot open root device"),)),
    Row("init-not-executable", "the initramfs's /init is for another architecture", "boot.init_missing", fields={"path": "/init"},
        image=images.with_init(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 183) + bytes(44)), since="kernel:Kernel panic", evidence=(Like("No working init found"),)),
    Row("init-elsewhere", "the kernel is told of an init that does not exist", "boot.init_missing", fields={"path": "/<word:init>"},
        vm={"kernel_args": "rdinit=/<word:init>"}, since="kernel:Kernel panic", evidence=(Like("VFS: Cannot open root device"),)),
    Row("init-exits", "the first program ends with code 3", "boot.init_exited", fields={"status": "code 3"}, image=images.with_init(exits(3)),
        since="kernel:Kernel panic", ci=True, evidence=(Like("Attempted to kill init! exitcode=0x00000300"),)),
    Row("init-hangs", "the first program starts and does nothing", "boot.stage_stalled", fields={"stage": "initrd"},
        image=images.with_init(waits_for_ever), vm={"deadlines_ms": {"initrd": 3000}}, since="start", later_s=3, evidence=(Like(r"^\[ +\d+\.\d+\] "),)),
]

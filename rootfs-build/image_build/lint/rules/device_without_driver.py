"""A kernel without the driver of a device that every VM has boots into silence, or without its disk."""
PREVENTS = "a VM that cannot see its disk, its link or its overlay"
# What every VM has -> (configuration symbol, module); a driver is built in, or its module is in the initramfs.
NEEDED = {"the disks": ("CONFIG_VIRTIO_BLK", "virtio_blk"), "the devices of microvm": ("CONFIG_VIRTIO_MMIO", "virtio_mmio"),
          "the link to the host": ("CONFIG_VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport"), "the root file system": ("CONFIG_EXT4_FS", "ext4"),
          "the writable layer": ("CONFIG_OVERLAY_FS", "overlay"), "the console": ("CONFIG_SERIAL_8250_CONSOLE", "8250")}


def faults(subject):
    if not subject.kernel_config:
        return      # an image from elsewhere: its boot test tells
    listed = subject.initrd.get("etc/vigil/modules", b"").decode(errors="replace").split()
    loaded = {name.rsplit("/", 1)[-1].removesuffix(".ko").replace("-", "_") for name in listed if f"lib/modules/{name}" in subject.initrd}
    for device, (symbol, module) in NEEDED.items():
        if subject.kernel_config.get(symbol) != "y" and module not in loaded:
            yield module, f"the driver of {device} is neither in the kernel ({symbol}) nor in the initramfs"

"""Which VMM this machine has: the fourth of what an image was made and tried with (VMM, kernel, kernel configuration, initramfs)."""
import subprocess

from .tools import search_path

PROGRAM = "qemu-system-x86_64"


def version():
    """The VMM's own words, or "" where none is installed: building an image needs no VMM."""
    try:
        done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False, env={"PATH": search_path()})
    except OSError:
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""


def pinned(kernel_facts, kernel_sha256, initrd_sha256):
    """The tuple that belongs together: another member of it is another machine, and was not tried."""
    return {"vmm": version(), "kernel_sha256": kernel_sha256, "config_sha256": kernel_facts["config_sha256"], "initrd_sha256": initrd_sha256}


def differences(manifest):
    """[{"rule","item","note"}]: another VMM here than the image was tried with. That its own parts are the pinned ones is manifest.pinned_faults."""
    told, here = (manifest.get("pinned") or {}).get("vmm"), version()
    if told and here and told != here:
        yield {"rule": "pinned", "item": "vmm", "note": f"the image was made and tried with {told}; this host has {here}"}

"""Black boxes as a user gets them: listed and exported by the command line, unpacked by zstd and tar."""
import io
import subprocess
import tarfile
import time


def boxes_of(daemon, vm=None):
    """Of all VMs, or of the one whose id is `vm`."""
    return [box for box in daemon.vigil_json("blackbox", "ls") if vm in (None, box["instance"])]


def wait_box(daemon, vm, within_s=60):
    """The newest box of a VM whose run has ended: it is packed after that."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if boxes := boxes_of(daemon, vm):
            return boxes[0]
        time.sleep(0.2)
    raise AssertionError(f"{vm} has no black box")


def unpack(daemon, box):
    """{name in the box: bytes}, in its order."""
    data = subprocess.run(daemon.vigil_command("blackbox", "export", box["box"], "-"), capture_output=True, timeout=120, check=True).stdout
    plain = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive.getmembers()}


def found_in_boxes(daemon, secrets, vms):
    """Where in any box one of them is: [(box, entry, secret)]. Each of `vms` must have a box with its events, and one of them a console: else nothing was looked at."""
    of_vms = [unpack(daemon, wait_box(daemon, vm)) for vm in vms]
    if not all(box.get("timeline.jsonl") for box in of_vms) or not any(b"Linux version" in box.get("console.log", b"") for box in of_vms):
        raise AssertionError(f"boxes without evidence: {[list(box) for box in of_vms]}")
    places = []
    for box in boxes_of(daemon):
        for name, data in unpack(daemon, box).items():
            places += [(box["box"], name, secret) for secret in secrets if secret.encode() in data]
    return places

"""What stands between the guest and the host breaks."""
import signal

from lab.row import Row

ROWS = [
    Row("device-killed", "the vsock device's process is killed", "vmm.device_died", fields={"device": "vhost-device-vsock"}, place="also",
        at_ready=lambda scene: scene.kill("device", signal.SIGKILL), since="host", ci=True),
]

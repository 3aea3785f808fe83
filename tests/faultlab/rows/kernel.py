"""The guest's kernel, or the VMM under it."""
import signal

from lab.row import Like, Row, Script

ONCE = {"essential": False, "restart": "never"}
LATE = {"after": ["web", "echo", "ticker"]}

ROWS = [
    Row("panic", "the kernel panics while the VM is in use", "guest.panic", fields={"text": Like("sysrq triggered crash")},
        services={"<victim>": {"exec": Script("echo c >/proc/sysrq-trigger"), **LATE, **ONCE}}, ci=True),
    Row("vmm-sigkill", "the VMM is killed", "vmm.killed", fields={"signal": "SIGKILL"}, at_ready=lambda scene: scene.kill("vmm", signal.SIGKILL), since="host",
        ci=True),
]

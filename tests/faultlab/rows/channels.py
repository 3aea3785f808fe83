"""What stands between the guest and the host breaks, or a service misuses it."""
import json
import signal
import socket
import struct
import time

from lab import images, link
from lab.native import kernel_module, waits_for_ever
from lab.row import SEEN, Like, Row, Script

ONCE = {"essential": False, "restart": "never"}
LATE = {"after": ["web", "echo", "ticker"]}


def dial(scene):
    """As if from inside the VM: whoever can open this socket is that VM."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(scene.lab.daemon.run / scene.vm["id"] / "vsock_5252"))
    return connection


def hello(scene, boot, **changes):
    body = {"protocols": [1], "agent_version": "0", "build_id": "", "image_digest": "", "kernel": "", "features": [], "phase": "init", "first_unacked": 1,
            "token": "", **changes}
    text = json.dumps({"v": 1, "t": "hello", "boot": boot, "epoch": 0, "body": body}).encode()
    scene.now()
    with dial(scene) as connection:
        connection.sendall(struct.pack("<I", len(text)) + text)
        while connection.recv(4096):
            pass


def speaks_newer(scene):
    """The agent of this VM never speaks; in its place somebody who knows another protocol."""
    hello(scene, "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", protocols=[7], phase="initrd")


def poses_as_agent(scene):
    boot = next(e for e in scene.lab.daemon.api.events(scene.vm["id"], deadline=20) if e["type"] == "link_up")["body"]["boot"]
    hello(scene, boot)


def speaks_nonsense(scene):
    scene.now()
    with dial(scene) as connection:
        connection.sendall(struct.pack("<I", 1 << 30) + b"x" * 64)
        while connection.recv(4096):
            pass


def cut_for_good(scene):
    """At a drawn moment the link is cut, and nobody listens where the guest would make it anew."""
    time.sleep(scene.random.uniform(0, 3))
    link.socket_path(scene).rename(link.socket_path(scene).with_name("away"))
    scene.now()
    if not link.cut(scene):
        raise RuntimeError("there was no link to cut")


ROWS = [
    Row("device-killed", "the vsock device's process is killed", "vmm.device_died", fields={"device": "vhost-device-vsock"},
        at_ready=lambda scene: scene.kill("device", signal.SIGKILL), since="host", ci=True, evidence=(Like("vhost-device-vsock ended"),)),
    Row("agent-of-another-version", "agent and host speak different protocols", "boot.agent_skew", fields={"host": "1", "guest": "7"},
        image=images.with_init(waits_for_ever), at_start=speaks_newer, since="host", limit_s=60, no_evidence=SEEN),
    Row("stranger-on-the-link", "somebody in the VM poses as the agent", "link.refused", fields={"reason": Like("without the token")}, place="also",
        at_ready=poses_as_agent, since="host", ci=True, no_evidence=SEEN),
    Row("nonsense-on-the-link", "somebody in the VM sends what is no frame", "link.refused", fields={"reason": Like("broke the protocol")}, place="also",
        at_ready=speaks_nonsense, since="host", no_evidence=SEEN),
    Row("console-flooded", "a service floods the console, then another dies", "service.exited", "victim", fields={"code": 9},
        evidence=(Like("said at last"),),
        services={"<noise>": {"exec": ["/bin/sh", "-c", "yes <word:noise> >/dev/console"], **ONCE},
                  "<victim>": {"exec": Script("echo said at last >&2; exit 9"), "after": ["web", "echo", "ticker", "<noise>"], **ONCE}}, ci=True),
    Row("console-flooded-panic", "a service floods the console, then the kernel panics", "guest.panic", fields={"text": Like("sysrq triggered crash")},
        services={"<noise>": {"exec": ["/bin/sh", "-c", "yes <word:noise> >/dev/console"], **ONCE},
                  "<victim>": {"exec": Script("sleep 2; @stamp echo c >/proc/sysrq-trigger"), **LATE, **ONCE}}, evidence=(Like("Kernel panic - not syncing: "),)),
    Row("clock-jumped", "the guest's clock jumps by an hour", "guest.clock_jumped", fields={"delta": Like(r"^3[56]\d\d$")}, place="also",
        services={"<victim>": {"exec": Script("busybox date -s @$(($(date +%s) + 3600)) >/dev/null; @stamp exec sleep 1000"), **LATE, **ONCE}}, no_evidence=SEEN),
    Row("both-channels-dead", "the vsock device dies, and then the guest hangs with interrupts off", "guest.frozen",
        at_ready=lambda scene: scene.kill("device", signal.SIGKILL), files={"<path:module>": (kernel_module(3), 0o644)},
        services={"<victim>": {"exec": Script("sleep 10; @stamp exec busybox insmod <path:module>"), **LATE, **ONCE}},
        evidence=(Like("there is no link"), Like("the console has said nothing"), Like("interrupts off"), Like("vhost-device-vsock ended")), later_s=8, limit_s=90,
            allowed_before=("vmm.device_died", "host.starved")),
    Row("device-stopped", "the vsock device's process is stopped", "link.lost", evidence=(Like("over the open link unanswered"), Like("vsock device is stopped")),
        at_ready=lambda scene: scene.kill("device", signal.SIGSTOP), since="host", later_s=100, limit_s=150, allowed_before=("host.starved",)),
    Row("link-cut-for-good", "the link is cut at random, and what the guest dials is gone", "link.lost", evidence=(Like("the link is lost and was not made again"),),
        at_ready=cut_for_good, since="host", later_s=100, limit_s=150, allowed_before=("host.starved",)),
    # The launcher always writes console=ttyS0; what can be missing is the port itself.
    Row("console-off", "the VM's kernel has no serial console", "boot.console_disabled", place="also", vm={"kernel_args": "8250.nr_uarts=0"},
        since="stage:initrd", evidence=(Like("the console has said nothing"),)),
]

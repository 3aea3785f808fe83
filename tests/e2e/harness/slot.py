"""A VM whose vsock device is in a slot: it can be killed and another put in its place (qemu_with_a_slot), as often as one likes, while the VM runs."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from .daemon import BIN, Daemon, process_gone

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE_S = 120


class DaemonWithSlots(Daemon):
    """All its VMs have the slot."""

    def command(self):
        qemu = self.base / "qemu_with_a_slot"
        if not qemu.exists():
            shutil.copy(HERE / qemu.name, qemu)   # VMM processes run under their own uid, and the sources may be out of its reach
        return ["env", f"VIGIL_QEMU={qemu}", *super().command()]


class Qmp:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))
        self.lines, self.events = self.socket.makefile("rb"), []
        self.read()
        self.ask("qmp_capabilities")

    def read(self):
        line = self.lines.readline()
        if not line:
            raise ConnectionResetError("QEMU hung up")
        return json.loads(line)

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self.read()
            if "error" in message:
                raise RuntimeError(f"{command} {arguments}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self.events.append(message)

    def await_event(self, name, **data):
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return
            self.events.append(self.read())


class Slot:
    """The slot of one VM that runs."""

    def __init__(self, daemon, vm):
        self.run = daemon.run / vm["id"]
        started = daemon.wait_for(vm, lambda e: e["type"] == "vmm_started")["body"]
        self.cid, self.device, self.ours, self.number = started["cid"], started["device_pid"], None, 0
        self.owner = self.run.stat()
        self.qmp = Qmp(self.run / "vsock_slot.sock")

    def kill(self, stalled_s=0):
        """The device that is in it; it may have stood still for a while before."""
        if stalled_s:
            os.kill(self.device, signal.SIGSTOP)
            time.sleep(stalled_s)
        os.kill(self.device, signal.SIGKILL)
        if self.ours:
            self.ours.wait()
        elif not process_gone(self.device):
            raise RuntimeError(f"the vsock device {self.device} does not end")

    def empty(self):
        self.qmp.ask("device_del", id="vsock")
        self.qmp.await_event("DEVICE_DELETED", device="vsock")
        self.qmp.ask("chardev-remove", id="vsock")

    def fill(self):
        """With a new process, that listens and dials where the former one did."""
        self.number += 1
        path = self.run / f"vhost{self.number}.sock"
        (self.run / "vsock").unlink(missing_ok=True)
        self.ours = subprocess.Popen([BIN / "vhost-device-vsock", "--guest-cid", str(self.cid), "--socket", path, "--uds-path", self.run / "vsock"],
                                     user=self.owner.st_uid, group=self.owner.st_gid, extra_groups=[], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.device = self.ours.pid
        until = time.monotonic() + PATIENCE_S
        while not path.exists():
            if self.ours.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"vhost-device-vsock does not listen on {path} (code {self.ours.poll()})")
            time.sleep(0.01)
        self.qmp.ask("chardev-add", id="vsock", backend={"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": str(path)}}, "server": False}})
        self.qmp.ask("device_add", driver="vhost-user-vsock-pci", id="vsock", chardev="vsock", bus="vsock_slot")
        path.unlink()

    def close(self):
        if self.ours:
            self.ours.kill()
            self.ours.wait()
